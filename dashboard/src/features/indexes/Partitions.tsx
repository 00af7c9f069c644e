import { ScrollArea, Text, UnstyledButton } from "@mantine/core";
import { count } from "~/format/number";
import { Panel } from "~/ui/Panel";
import classes from "./Partitions.module.css";

interface Props {
  partitions: { class: string; rows: number }[];
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
          {ordered.map(({ class: name, rows }) => (
            <li key={name}>
              <UnstyledButton
                className={classes.row}
                aria-pressed={chosen === name}
                data-chosen={chosen === name || undefined}
                style={{ "--share": `${(rows / Math.max(1, most)) * 100}%` }}
                onClick={() => onChoose(chosen === name ? undefined : name)}
              >
                <Text span size="sm" truncate>{name}</Text>
                <Text span size="sm" c="dimmed" className="tabular">{count(rows)}</Text>
              </UnstyledButton>
            </li>
          ))}
        </ul>
      </ScrollArea.Autosize>
    </Panel>
  );
}
