// Turns queue samples into the rows of the overview's charts.
import type { QueueSample } from "~/api/types";
import { bucketed, type Point } from "~/live/samples";

const STEPS = 90;
/** Ends are rarer than samples: wider steps show how many, not when each was. */
const END_STEPS = 45;
const SAMPLE_MS = 5_000;

/** Jobs waiting in each queue: the most that waited within a step. */
export function depths(samples: QueueSample[], windowMs: number, now: number): Point[] {
  let step = 0;
  const rows = bucketed(samples, windowMs, now, STEPS, SAMPLE_MS, (inside, stepMs) => {
    step = stepMs;
    const row: Record<string, number> = {};
    for (const sample of inside) row[sample.queue] = Math.max(row[sample.queue] ?? 0, sample.depth);
    return row;
  });
  return closed(rows, step);
}

/** Jobs that ended per minute, by how they ended. */
export function throughput(samples: QueueSample[], windowMs: number, now: number): Point[] {
  let step = 0;
  const rows = bucketed(samples, windowMs, now, END_STEPS, SAMPLE_MS, (inside, stepMs) => {
    step = stepMs;
    const perMinute = 60_000 / stepMs;
    const sum = (key: "succeeded" | "failed") => inside.reduce((total, sample) => total + sample[key], 0);
    return { succeeded: round(sum("succeeded") * perMinute), failed: round(sum("failed") * perMinute) };
  });
  return closed(rows, step);
}

/** Rows whose last one is told again at its end, so that a chart of steps shows all of it. */
function closed(rows: Point[], step: number): Point[] {
  const last = rows.at(-1);
  return last === undefined ? rows : [...rows, { ...last, at: last.at + step }];
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
