import { count, percent } from "~/format/number";
import { Panel } from "~/ui/Panel";
import { type SortedColumn, SortedTable } from "~/ui/SortedTable";
import type { ClassFigures } from "./card";

const share = (key: "recall" | "precision" | "p10" | "map", label: string): SortedColumn<ClassFigures> => ({
  key, label, right: true, value: (row) => row[key], cell: (row) => percent(row[key]),
});

const COLUMNS: SortedColumn<ClassFigures>[] = [
  { key: "class", label: "Class", value: (row) => row.class },
  { key: "pictures", label: "Pictures", right: true, value: (row) => row.pictures, cell: (row) => count(row.pictures) },
  share("recall", "Recall"),
  share("precision", "Precision"),
  share("p10", "P@10"),
  share("map", "mAP"),
];

/** How well each class is told from the others and found again, the weakest first. */
export function PerClassPanel({ rows }: { rows: ClassFigures[] }) {
  return (
    <Panel title="By class" hint="validation pictures; retrieval by embedding">
      <SortedTable label="Figures by class" rows={rows} columns={COLUMNS} rowKey={(row) => row.class} first={{ key: "recall", up: true }} />
    </Panel>
  );
}
