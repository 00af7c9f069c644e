// The curves of a training: what is drawn of its epochs and of its steps, and how numbers are written.
import type { EpochMetrics, StepMetrics } from "~/api/types";
import { percent, significant } from "~/format/number";

/** What a row is about. */
export type By = "epoch" | "step";

/** A row of a chart. */
export type Row = Record<string, number | null | undefined>;

export interface Curve {
  label: string;
  series: { name: string; label: string; color: string }[];
  format: (value: number) => string;
  /** Where the scale begins; with the data when left out. */
  from?: number;
}

const whole = (value: number) => percent(value, 0);
const rate: Curve = { label: "Learning rate", series: [{ name: "learning_rate", label: "Learning rate", color: "violet.6" }], format: significant };
const speed: Curve = { label: "Speed", series: [{ name: "images_per_second", label: "Pictures/s", color: "teal.6" }], format: significant, from: 0 };
const waiting = { name: "loader_wait_share", label: "Waiting for pictures", color: "orange.6" };

export const CURVES: Record<By, Curve[]> = {
  epoch: [
    {
      label: "Accuracy", format: whole, from: 0,
      series: [{ name: "train_accuracy", label: "Training", color: "gray.5" }, { name: "validation_accuracy", label: "Validation", color: "brand.6" }],
    },
    {
      label: "Loss", format: significant,
      series: [{ name: "loss", label: "Training", color: "gray.5" }, { name: "validation_loss", label: "Validation", color: "brand.6" }],
    },
    {
      label: "Retrieval", format: whole, from: 0,
      series: [{ name: "precision_at_10", label: "P@10", color: "brand.6" }, { name: "map", label: "mAP", color: "grape.6" }],
    },
    rate,
    speed,
    { label: "Device", format: whole, from: 0, series: [{ name: "utilisation", label: "Device busy", color: "brand.6" }, waiting] },
  ],
  step: [
    { label: "Loss", format: significant, series: [{ name: "loss", label: "Loss", color: "brand.6" }] },
    { label: "Accuracy", format: whole, from: 0, series: [{ name: "accuracy", label: "Training", color: "brand.6" }] },
    rate,
    speed,
    { label: "Waiting", format: whole, from: 0, series: [waiting] },
  ],
};

/** An epoch as a row, the device's use as a share like the rest. */
export function epochRow(epoch: EpochMetrics): Row {
  const { utilisation_percent: busy } = epoch;
  return { ...epoch, utilisation: busy === null || busy === undefined ? null : busy / 100 };
}

export function stepRow(step: StepMetrics): Row {
  return { ...step };
}

/** The curves of which anything was measured. */
export function measured(curves: Curve[], rows: Row[]): Curve[] {
  return curves.filter(({ series }) => rows.some((row) => series.some(({ name }) => typeof row[name] === "number")));
}

const ROUND = [1, 2, 5];

/** A scale from the first number to the last, with at most ten round numbers on it. */
export function scale(rows: Row[], by: By) {
  const [first, last] = [rows[0]?.[by] ?? 1, rows.at(-1)?.[by] ?? 1];
  const step = roundStep((last - first) / 10);
  const start = Math.ceil(first / step) * step;
  const ticks = Array.from({ length: Math.floor((last - start) / step) + 1 }, (_, place) => start + place * step);
  return { type: "number" as const, domain: [first, Math.max(last, first + 1)], ticks, tickMargin: 8 };
}

/** The least of 1, 2, 5, 10, 20, 50, ... that is no smaller. */
function roundStep(least: number): number {
  for (let power = 1; ; power *= 10) {
    const fitting = ROUND.find((each) => each * power >= least);
    if (fitting !== undefined) return fitting * power;
  }
}
