import { Text } from "@mantine/core";
import { percent, significant } from "~/format/number";
import { Panel } from "~/ui/Panel";
import { type SortedColumn, SortedTable } from "~/ui/SortedTable";
import type { Hard } from "./card";

const COLUMNS: SortedColumn<Hard>[] = [
  { key: "uri", label: "Picture", value: (row) => row.uri, cell: (row) => <Text span size="sm" className="mono" style={{ overflowWrap: "anywhere" }}>{row.uri}</Text> },
  { key: "class", label: "Labelled", value: (row) => row.class },
  { key: "predicted", label: "Taken for", value: (row) => row.predicted, cell: (row) => <Text span size="sm" c={row.predicted === row.class ? undefined : "red"}>{row.predicted}</Text> },
  { key: "probability", label: "Sure of it", right: true, value: (row) => row.probability, cell: (row) => percent(row.probability, 0) },
  { key: "loss", label: "Loss", right: true, value: (row) => row.loss, cell: (row) => significant(row.loss) },
];

/** The validation pictures that the model found hardest: wrong labels show up here first. */
export function HardestPanel({ rows }: { rows: Hard[] }) {
  return (
    <Panel title="Hardest pictures" hint="look here for wrong labels">
      <SortedTable label="Hardest pictures" rows={rows} columns={COLUMNS} rowKey={(row) => row.uri} first={{ key: "loss", up: false }} few={10} />
    </Panel>
  );
}
