import { describe, expect, it } from "vitest";
import type { ModelVersion } from "~/api/types";
import { calibrationOf, hardestOf, mapOf, perClassOf } from "./card";

function aModel(card: Record<string, unknown>): ModelVersion {
  return {
    id: "m1", name: "scenes", version: 1, reference: "scenes@1", is_default: true, backbone: "resnet18", classes: ["bowl", "teapot"], image_size: 64,
    embedding_dim: 8, origin: "trained", job_id: null, validation_accuracy: null, precision_at: null, weights_bytes: 1, weights_sha256: "", card,
    labels: {}, created_at: "2026-11-23T12:00:00Z",
  };
}

describe("a model's card", () => {
  it("may be empty, or of another shape", () => {
    for (const card of [{}, { metrics: 7, hardest: "none" }, { metrics: { calibration: { bins: [{}] }, per_class: null, map: 0.5 } }]) {
      const model = aModel(card);
      expect([calibrationOf(model), hardestOf(model), perClassOf(model), mapOf(model)]).toEqual([null, [], [], {}]);
    }
  });

  it("tells classes by name or by number", () => {
    const hardest = [{ uri: "photos/a.jpg", class: 0, predicted: "teapot", probability: 0.9, loss: 3 }, { class: 1 }];
    expect(hardestOf(aModel({ hardest }))).toEqual([{ uri: "photos/a.jpg", class: "bowl", predicted: "teapot", probability: 0.9, loss: 3 }]);
    const per_class = [{ class: 1, pictures: 4, recall: 0.5, precision: 1, precision_at: { embedding: { "10": 0.25 } }, map: { embedding: 0.3 } }];
    expect(perClassOf(aModel({ metrics: { per_class } }))).toEqual([{ class: "teapot", pictures: 4, recall: 0.5, precision: 1, p10: 0.25, map: 0.3 }]);
  });

  it("says how far probabilities can be believed", () => {
    const calibration = { temperature: 1.4, ece_before: 0.1, ece_after: 0.02, bins: [{ confidence: 0.9, accuracy: 0.8, pictures: 5 }] };
    expect(calibrationOf(aModel({ metrics: { calibration } }))).toEqual({ temperature: 1.4, before: 0.1, after: 0.02, bins: calibration.bins });
  });
});
