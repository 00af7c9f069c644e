import { describe, expect, it } from "vitest";
import type { TrainingRun } from "~/api/types";
import { lines, rows } from "./performance";

const run = (job_id: string, points: [number, number | null][]): TrainingRun => ({
  job_id, state: "succeeded", created_at: "2026-11-23T12:00:00Z", model: `${job_id}@1`, backbone: "resnet18", image_size: 64, batch_size: 8,
  points: points.map(([seconds, iterations]) => ({ seconds, iterations, images: null })), images_per_second: 90,
});

describe("iterations over time", () => {
  const shown = lines({ devices: [
    { device: "GPU", runs: [run("a", [[2, 10], [4, 20]]), run("unknown", [[1, null]])] },
    { device: "CPU", runs: [run("b", [[4, 3]])] },
  ] });

  it("are a line of each run that tells them, in its device's colour", () => {
    expect(shown.map(({ key, label, color, device }) => [key, label, color, device])).toEqual([
      ["a", "a@1, resnet18", "brand.6", "GPU"], ["b", "b@1, resnet18", "teal.6", "CPU"],
    ]);
  });

  it("all begin at nought", () => {
    expect(rows(shown)).toEqual([{ seconds: 0, a: 0, b: 0 }, { seconds: 2, a: 10 }, { seconds: 4, a: 20, b: 3 }]);
  });
});
