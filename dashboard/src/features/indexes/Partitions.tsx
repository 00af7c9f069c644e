import { ScrollArea, Text, UnstyledButton } from "@mantine/core";
import type { Partition } from "~/api/types";
import { count, percent } from "~/format/number";
import { Panel } from "~/ui/Panel";
import classes from "./Partitions.module.css";

interface Props {
  partitions: Pick<Partition, "class" | "rows" | "graph">[];
  chosen: string | undefined;
  onChoose: (className: string | undefined) => void;
}

/** How many pictures each class holds; a click shows only those. */
export function Partitions({ partitions, chosen, onChoose }: Props) {
  const ordered = [...partitions].sort((a, b) => b.rows - a.rows);
  const most = ordered[0]?.rows ?? 0;
  return (
    <Panel title="Classes" hint={String(partitions.length)} flush>
      <ScrollArea.Autosize className={classes.scroll} type="auto">
        <ul className={classes.list}>
          {ordered.map(({ class: name, rows, graph }) => (
            <li key={name}>
              <UnstyledButton
                className={classes.row}
                aria-pressed={chosen === name}
                data-chosen={chosen === name || undefined}
                style={{ "--share": `${(rows / Math.max(1, most)) * 100}%` }}
                onClick={() => onChoose(chosen === name ? undefined : name)}
              >
                <Text span size="sm" truncate className={classes.name}>{name}</Text>
                {graph && (
                  <Text span size="xs" c="dimmed" className={classes.graph} title={graph.state === "ready" ? "So large that searches go through a graph (HNSW): fast, and nearly exact" : "Its graph (HNSW) is being built; until then it is searched exactly"}>
                    {graph.state === "ready" ? "graph" : `graph ${percent(graph.progress, 0)}`}
                  </Text>
                )}
                <Text span size="sm" c="dimmed" className="tabular">{count(rows)}</Text>
              </UnstyledButton>
            </li>
          ))}
        </ul>
      </ScrollArea.Autosize>
    </Panel>
  );
}
