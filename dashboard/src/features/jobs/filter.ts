// The filter of the job list as it stands in the URL. A period such as `24h` becomes a time only when asked.
import type { BulkFilter, JobState } from "~/api/types";
import { isJobState } from "./states";

export const PERIODS = { "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days" } as const;
export type Period = keyof typeof PERIODS;

const PERIOD_MS: Record<Period, number> = { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000 };

export interface JobSearch {
  state?: JobState;
  kind?: string;
  queue?: string;
  label?: string;
  since?: Period;
}

type JobFilter = Partial<Record<keyof JobSearch, string | undefined>>;

/** What of a URL's parameters is a filter; anything else is left out. */
export function jobSearch(raw: Record<string, unknown>): JobSearch {
  return {
    state: isJobState(raw.state) ? raw.state : undefined,
    kind: word(raw.kind),
    queue: word(raw.queue),
    label: word(raw.label),
    since: typeof raw.since === "string" && Object.hasOwn(PERIODS, raw.since) ? (raw.since as Period) : undefined,
  };
}

/** The filter as the list takes it. */
export function wire({ since, ...rest }: JobSearch, now: number): JobFilter {
  return { ...rest, since: since && new Date(now - PERIOD_MS[since]).toISOString() };
}

/** The filter as an action on many jobs takes it, which allows several values of each. */
export function bulkWire(search: JobSearch, now: number): BulkFilter {
  const { since, ...fields } = wire(search, now);
  const lists = Object.entries(fields).map(([field, value]) => [field, value && [value]]);
  return { ...(Object.fromEntries(lists) as BulkFilter), ...(since !== undefined && { since }) };
}

/** How many filters are set. */
export function activeFilters(search: JobSearch): number {
  return Object.values(search).filter((value) => value !== undefined).length;
}

function word(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
