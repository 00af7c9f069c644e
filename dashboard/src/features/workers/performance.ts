// Iterations over time of stored trainings, as one chart holds them.
import { queryOptions } from "@tanstack/react-query";
import { api, take } from "~/api/client";
import type { TrainingPerformance, TrainingRun } from "~/api/types";

export const trainingPerformance = queryOptions({
  queryKey: ["training-performance"],
  queryFn: ({ signal }) => take(api.GET("/v1/system/training-performance", { params: { query: { limit: 12 } }, signal })),
  refetchInterval: 30_000,
});

/** A run with the device it ran on and the name and colour of its line. */
export interface Line {
  key: string;
  label: string;
  color: string;
  device: string;
  run: TrainingRun;
}

/** One colour a device; its runs differ in shade. */
const COLORS = ["brand", "teal", "orange", "grape", "red", "cyan"];
const SHADES = [6, 4, 8, 3, 7, 5, 9];

export function lines({ devices }: TrainingPerformance): Line[] {
  return devices.flatMap(({ device, runs }, place) =>
    runs.filter(({ points }) => points.some(({ iterations }) => iterations !== null)).map((run, number) => ({
      key: run.job_id,
      label: [run.model, run.backbone].filter((part) => part !== null).join(", "),
      color: `${COLORS[place % COLORS.length] ?? "brand"}.${SHADES[number % SHADES.length] ?? 6}`,
      device,
      run,
    })));
}

/** A row per moment at which any run was looked at: `seconds`, and the iterations of the runs by then. */
export function rows(shown: Line[]): Record<string, number | null>[] {
  const moments = new Map<number, Record<string, number | null>>([[0, { seconds: 0 }]]);
  for (const { key, run } of shown) {
    const start = moments.get(0);
    if (start !== undefined) start[key] = 0;
    for (const { seconds, iterations } of run.points) {
      const row = moments.get(seconds) ?? { seconds };
      row[key] = iterations;
      moments.set(seconds, row);
    }
  }
  return [...moments.values()].sort((a, b) => (a.seconds ?? 0) - (b.seconds ?? 0));
}
