// What of a search stands in the URL: where to look, how, and for what (an entry, an object of a source, or a
// job that has already looked). An uploaded picture cannot stand there; the job that searched with it can.
import type { Crop, RankBy } from "~/api/types";
import { record, text } from "~/features/jobs/read";
import { meant } from "~/format/number";

export interface SearchParams {
  index?: string;
  k?: number;
  rank_by?: RankBy;
  probes?: string;
  min?: number;
  /** What the uris of hits begin with, `source/key...`. */
  uri_prefix?: string;
  collapse_duplicates?: true;
  /** The part of the picture that is looked for: `x,y,width,height` in shares of it. */
  crop?: string;
  entry?: string;
  /** `source/key`. */
  object?: string;
  job?: string;
}

export const DEFAULT_K = 20;
export const MAX_K = 1_000;
/** Shares are told in decimals, which may sum to a little more than 1. */
const TOLERANCE = 1e-6;

export function searchParams(raw: Record<string, unknown>): SearchParams {
  const k = Math.trunc(Number(raw.k));
  const min = Number(raw.min);
  return {
    index: word(raw.index),
    k: k >= 1 && k <= MAX_K && k !== DEFAULT_K ? k : undefined,
    rank_by: raw.rank_by === "probabilities" ? "probabilities" : undefined,
    probes: probes(raw.probes),
    min: min > 0 && min <= 1 ? min : undefined,
    uri_prefix: word(raw.uri_prefix),
    collapse_duplicates: raw.collapse_duplicates === true ? true : undefined,
    crop: written(cropOf(raw.crop)),
    entry: word(raw.entry),
    object: word(raw.object),
    job: word(raw.job),
  };
}

/** The search that the job `id` with the params `asked` was. */
export function searchOf(id: string, asked: unknown): SearchParams {
  const { query, index, k, probes, rank_by, min_similarity, filter, collapse_duplicates } = record(asked);
  const { entry_id, source, key, crop } = record(query);
  const { x, y, width, height } = record(crop);
  const object = text(source) === null || text(key) === null ? undefined : `${String(source)}/${String(key)}`;
  const found = {
    index, k, probes, rank_by, min: min_similarity, uri_prefix: record(filter).uri_prefix, collapse_duplicates, crop: [x, y, width, height].join(), entry: entry_id, object,
  };
  return { ...searchParams(found), job: id };
}

/** The part that `crop=` of a URL tells; null when it tells none that lies in a picture. */
export function cropOf(value: unknown): Crop | null {
  const [x = -1, y = -1, width = 0, height = 0, more] = typeof value === "string" ? value.split(",").map(Number) : [];
  const lies = [[x, width], [y, height]].every(([from = -1, length = 0]) => from >= 0 && length > 0 && from + length <= 1 + TOLERANCE);
  return lies && more === undefined ? { x, y, width, height } : null;
}

/** A part as it stands in a URL. */
export function written(crop: Crop | null): string | undefined {
  return crop === null ? undefined : [crop.x, crop.y, crop.width, crop.height].join();
}

/** `all`, a number of classes from 1, or a probability below 1; what is left out means `auto`. */
function probes(raw: unknown): string | undefined {
  if (raw === "all") return "all";
  const found = Number(raw);
  if (found >= 1) return String(Math.trunc(found));
  return found > 0 ? String(meant(found)) : undefined;
}

function word(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
