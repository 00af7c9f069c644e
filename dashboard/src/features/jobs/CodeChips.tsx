import { Chip } from "@mantine/core";
import type { ItemSummary } from "~/api/types";
import { count } from "~/format/number";
import classes from "./ItemsPanel.module.css";

interface Props {
  summary: ItemSummary;
  /** The reasons that are shown; empty shows all. */
  chosen: string[];
  onChoose: (codes: string[]) => void;
}

/** Why pictures failed, and how many; choosing reasons narrows the list to them. */
export function CodeChips({ summary, chosen, onChoose }: Props) {
  return (
    <div role="group" aria-label="Reasons" className={classes.chips}>
      <Chip size="sm" checked={chosen.length === 0} onChange={() => onChoose([])}>All {count(summary.failed)}</Chip>
      {summary.codes.map(({ code, count: failed }) => (
        <Chip key={code} size="sm" checked={chosen.includes(code)} onChange={(checked) => onChoose(toggled(chosen, code, checked))}>
          <span className="mono">{code}</span> {count(failed)}
        </Chip>
      ))}
    </div>
  );
}

function toggled(chosen: string[], code: string, checked: boolean): string[] {
  const others = chosen.filter((each) => each !== code);
  return checked ? [...others, code] : others;
}
