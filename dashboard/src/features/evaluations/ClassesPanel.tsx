import type { MeasuredClass, RankBy } from "~/api/types";
import { count, percent } from "~/format/number";
import { Panel } from "~/ui/Panel";
import { type SortedColumn, SortedTable } from "~/ui/SortedTable";
import { depths, ends, mapOf } from "./figures";
import { RankingSwitch } from "./RankingSwitch";

interface Props {
  rows: MeasuredClass[];
  ranking: RankBy;
  onRanking: (ranking: RankBy) => void;
}

/** How well the queries of each class were answered, the weakest first. */
export function ClassesPanel({ rows, ranking, onRanking }: Props) {
  const [one] = rows;
  if (one === undefined) return null;
  const share = (key: string, label: string, value: (row: MeasuredClass) => number | null | undefined): SortedColumn<MeasuredClass> => ({
    key, label, right: true, value: (row) => value(row) ?? null, cell: (row) => percent(value(row)),
  });
  const columns: SortedColumn<MeasuredClass>[] = [
    { key: "class", label: "Class", value: (row) => row.class },
    { key: "queries", label: "Queries", right: true, value: (row) => row.queries, cell: (row) => count(row.queries) },
    ...(one.accuracy === undefined ? [] : [share("accuracy", "Recognised", ({ accuracy }) => accuracy)]),
    ...ends(depths(one.precision_at, ranking)).map((k) => share(`precision ${k}`, `P@${k}`, ({ precision_at }) => precision_at[ranking]?.[k])),
    share("map", "mAP", (row) => mapOf(row, ranking)),
  ];
  const first = columns.find(({ key }) => key.startsWith("precision"))?.key ?? "map";
  return (
    <Panel title="By class" hint={String(rows.length)} actions={<RankingSwitch of="By class" ranking={ranking} onRanking={onRanking} />}>
      <SortedTable label="Figures by class" rows={rows} columns={columns} rowKey={(row) => row.class} first={{ key: first, up: true }} few={10} minWidth={460} pinned />
    </Panel>
  );
}
