// Turns queue samples into the rows of the overview's charts.
import type { QueueSample } from "~/api/types";
import { bucketed, type Point } from "~/live/samples";

const STEPS = 90;
const SAMPLE_MS = 5_000;

/** Jobs waiting in each queue: the most that waited within a step. */
export function depths(samples: QueueSample[], windowMs: number, now: number): Point[] {
  return bucketed(samples, windowMs, now, STEPS, SAMPLE_MS, (inside) => {
    const row: Record<string, number> = {};
    for (const sample of inside) row[sample.queue] = Math.max(row[sample.queue] ?? 0, sample.depth);
    return row;
  });
}

/** Jobs that ended per minute, by how they ended. */
export function throughput(samples: QueueSample[], windowMs: number, now: number): Point[] {
  return bucketed(samples, windowMs, now, STEPS, SAMPLE_MS, (inside, stepMs) => {
    const perMinute = 60_000 / stepMs;
    const sum = (key: "succeeded" | "failed") => inside.reduce((total, sample) => total + sample[key], 0);
    return { succeeded: round(sum("succeeded") * perMinute), failed: round(sum("failed") * perMinute) };
  });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
