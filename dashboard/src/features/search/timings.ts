// Where the time of a search went.

export interface Part {
  name: string;
  ms: number;
  /** Of the total, 0 to 1. */
  share: number;
  color: string;
}

const COLORS: Record<string, string> = { queued: "gray.5", decode: "cyan.5", forward: "brand.5", match: "teal.5", fetch: "orange.5" };
const SPARE = ["grape.5", "lime.5", "pink.5"];

/** The named steps, in the order given, and what of the total they leave unexplained. */
export function spent(timings: Record<string, number>): Part[] {
  const { total = 0, ...steps } = timings;
  const known = Object.values(steps).reduce((sum, ms) => sum + ms, 0);
  const whole = Math.max(total, known, Number.EPSILON);
  const parts = Object.entries(steps).map(([name, ms], place) => ({
    name, ms, share: ms / whole, color: COLORS[name] ?? SPARE[place % SPARE.length] ?? "gray.5",
  }));
  const rest = total - known;
  if (rest > 0.05 * total) parts.push({ name: "other", ms: rest, share: rest / whole, color: "gray.3" });
  return parts;
}
