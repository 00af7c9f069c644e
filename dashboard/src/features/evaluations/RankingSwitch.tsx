import { SegmentedControl } from "@mantine/core";
import type { RankBy } from "~/api/types";

/** The rankings, as they are called. */
export const RANKINGS: { value: RankBy; label: string }[] = [{ value: "embedding", label: "Embedding" }, { value: "probabilities", label: "Probabilities" }];

interface Props {
  of: string;
  ranking: RankBy;
  onRanking: (ranking: RankBy) => void;
}

/** Which ranking the figures of a table are of. */
export function RankingSwitch({ of, ranking, onRanking }: Props) {
  return <SegmentedControl size="xs" aria-label={`${of}, ranked by`} data={RANKINGS} value={ranking} onChange={onRanking} />;
}
