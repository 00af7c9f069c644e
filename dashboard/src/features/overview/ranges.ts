/** The periods that the overview's charts can show. */
export const RANGES = {
  "15m": { label: "15 min", ms: 15 * 60_000 },
  "1h": { label: "1 hour", ms: 60 * 60_000 },
  "6h": { label: "6 hours", ms: 6 * 60 * 60_000 },
} as const;

export type Range = keyof typeof RANGES;

export function isRange(value: unknown): value is Range {
  return typeof value === "string" && Object.hasOwn(RANGES, value);
}
