// What of a search stands in the URL: where to look, how, and for what (an entry, an object of a source, or a
// job that has already looked). An uploaded picture cannot stand there; the job that searched with it can.
import type { RankBy } from "~/api/types";
import { record, text } from "~/features/jobs/read";

export interface SearchParams {
  index?: string;
  k?: number;
  rank_by?: RankBy;
  probes?: string;
  min?: number;
  entry?: string;
  /** `source/key`. */
  object?: string;
  job?: string;
}

export const DEFAULT_K = 20;
export const MAX_K = 1_000;

export function searchParams(raw: Record<string, unknown>): SearchParams {
  const k = Math.trunc(Number(raw.k));
  const min = Number(raw.min);
  return {
    index: word(raw.index),
    k: k >= 1 && k <= MAX_K && k !== DEFAULT_K ? k : undefined,
    rank_by: raw.rank_by === "probabilities" ? "probabilities" : undefined,
    probes: probes(raw.probes),
    min: min > 0 && min <= 1 ? min : undefined,
    entry: word(raw.entry),
    object: word(raw.object),
    job: word(raw.job),
  };
}

/** The search that the job `id` with the params `asked` was. */
export function searchOf(id: string, asked: unknown): SearchParams {
  const { query, index, k, probes, rank_by, min_similarity } = record(asked);
  const { entry_id, source, key } = record(query);
  const object = text(source) === null || text(key) === null ? undefined : `${String(source)}/${String(key)}`;
  return { ...searchParams({ index, k, probes, rank_by, min: min_similarity, entry: entry_id, object }), job: id };
}

function probes(raw: unknown): string | undefined {
  if (raw === "all") return "all";
  const fixed = Math.trunc(Number(raw));
  return fixed >= 1 ? String(fixed) : undefined;
}

function word(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
