// Turns a worker's samples into the rows of its charts.
import type { WorkerSample } from "~/api/types";
import { bucketed, type Point } from "~/live/samples";

const STEPS = 120;
const SAMPLE_MS = 2_000;

/** Mean utilisation and the most memory within each step. */
export function deviceUse(samples: WorkerSample[], windowMs: number, now: number): Point[] {
  return bucketed(samples, windowMs, now, STEPS, SAMPLE_MS, (inside) => ({
    utilisation: mean(inside.map((sample) => sample.utilisation_percent)),
    memory: most(inside.map((sample) => sample.memory_used_bytes)),
  }));
}

function present(values: (number | null)[]): number[] {
  return values.filter((value) => value !== null);
}

function mean(values: (number | null)[]): number | null {
  const known = present(values);
  return known.length === 0 ? null : Math.round((known.reduce((sum, value) => sum + value, 0) / known.length) * 10) / 10;
}

function most(values: (number | null)[]): number | null {
  const known = present(values);
  return known.length === 0 ? null : Math.max(...known);
}
