import type { Evaluation } from "~/api/types";
import { count, percent } from "~/format/number";
import { AnchorLink } from "~/ui/links";
import { type SortedColumn, SortedTable } from "~/ui/SortedTable";
import { TimeAgo } from "~/ui/TimeAgo";
import { depths, ends, mapOf, placeOf, probesName } from "./figures";

interface Props {
  index: string;
  /** The newest first. */
  evaluations: Evaluation[];
}

/** The evaluations of an index; each opens. */
export function EvaluationTable({ index, evaluations }: Props) {
  const columns: SortedColumn<Evaluation>[] = [
    { key: "at", label: "Measured", value: ({ at }) => Date.parse(at), cell: (row) => <Opening index={index} evaluation={row} /> },
    { key: "generation", label: "Generation", right: true, value: ({ generation }) => generation },
    { key: "place", label: "With", value: ({ result }) => placeOf(result) },
    { key: "probes", label: "Classes looked into", value: ({ result }) => probesName(result.probes ?? "auto") },
    { key: "queries", label: "Queries", right: true, value: ({ result }) => result.queries, cell: ({ result }) => count(result.queries) },
    ...ends(depths(evaluations[0]?.result.precision_at, "embedding")).map((k): SortedColumn<Evaluation> => ({
      key: `precision ${k}`, label: `P@${k}`, right: true, value: ({ result }) => result.precision_at.embedding?.[k] ?? null, cell: ({ result }) => percent(result.precision_at.embedding?.[k]),
    })),
    { key: "map", label: "mAP", right: true, value: ({ result }) => mapOf(result, "embedding"), cell: ({ result }) => percent(mapOf(result, "embedding")) },
  ];
  return <SortedTable label="Evaluations" rows={evaluations} columns={columns} rowKey={({ id }) => id} first={{ key: "at", up: false }} minWidth={720} pinned />;
}

function Opening({ index, evaluation: { id, at } }: { index: string; evaluation: Evaluation }) {
  return <AnchorLink size="sm" to="/indexes/$name" params={{ name: index }} search={{ tab: "evaluations", evaluation: id }}><TimeAgo at={at} /></AnchorLink>;
}
