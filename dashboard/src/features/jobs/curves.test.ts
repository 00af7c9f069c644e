import { describe, expect, it } from "vitest";
import { CURVES, epochRow, measured, scale } from "./curves";

const epoch = { epoch: 1, loss: 2, train_accuracy: 0.2, validation_loss: 2, validation_accuracy: 0.3, learning_rate: 0.1, images_per_second: 90, seconds: 3 };

describe("the curves of a training", () => {
  it("are those of which anything was measured", () => {
    const labels = (rows: Parameters<typeof measured>[1]) => measured(CURVES.epoch, rows).map(({ label }) => label);
    expect(labels([epochRow(epoch)])).toEqual(["Accuracy", "Loss", "Learning rate", "Speed"]);
    expect(labels([epochRow({ ...epoch, map: 0.7, utilisation_percent: 80 })])).toEqual(["Accuracy", "Loss", "Retrieval", "Learning rate", "Speed", "Device"]);
    expect(epochRow({ ...epoch, utilisation_percent: 80 }).utilisation).toBe(0.8);
  });

  it("have round numbers below them", () => {
    expect(scale([{ step: 3 }, { step: 4_700 }], "step").ticks).toEqual([500, 1_000, 1_500, 2_000, 2_500, 3_000, 3_500, 4_000, 4_500]);
    expect(scale([{ epoch: 1 }, { epoch: 3 }], "epoch")).toMatchObject({ domain: [1, 3], ticks: [1, 2, 3] });
    expect(scale([{ epoch: 1 }], "epoch").domain).toEqual([1, 2]);
  });
});
