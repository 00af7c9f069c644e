// Follows a series of samples: keeps a window of them and asks only for what is new.

interface Sampled {
  at: string;
}

/** The window of samples after `known`, oldest first, without doubles of the last moment. */
export async function followed<T extends Sampled>(
  known: T[] | undefined,
  windowMs: number,
  fetchSince: (since: string) => Promise<T[]>,
  now = Date.now(),
): Promise<T[]> {
  const opens = new Date(now - windowMs).toISOString();
  const last = known?.at(-1)?.at;
  const since = last !== undefined && last > opens ? last : opens;
  const fresh = (await fetchSince(since)).filter((sample) => last === undefined || sample.at > last);
  fresh.sort((a, b) => a.at.localeCompare(b.at));
  const start = Date.parse(opens);
  return [...(known ?? []), ...fresh].filter((sample) => Date.parse(sample.at) >= start);
}

/** A row of a chart: a moment and the values of its series. */
export type Point = { at: number } & Record<string, number | null>;

/** Gathers samples into at most `most` steps of equal length; `reduce` makes each step's row of its samples. */
export function bucketed<T extends Sampled>(
  samples: T[],
  windowMs: number,
  now: number,
  most: number,
  minStepMs: number,
  reduce: (samples: T[], stepMs: number) => Record<string, number | null>,
): Point[] {
  const step = Math.max(minStepMs, Math.ceil(windowMs / most / minStepMs) * minStepMs);
  const buckets = new Map<number, T[]>();
  for (const sample of samples) {
    const start = Math.floor(Date.parse(sample.at) / step) * step;
    const bucket = buckets.get(start);
    if (bucket === undefined) buckets.set(start, [sample]);
    else bucket.push(sample);
  }
  // The step that is still filling up would always look like a dip.
  const current = Math.floor(now / step) * step;
  return [...buckets.entries()]
    .filter(([start]) => start < current)
    .sort(([a], [b]) => a - b)
    .map(([start, inside]) => ({ at: start, ...reduce(inside, step) }));
}
