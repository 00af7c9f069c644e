import { describe, expect, it } from "vitest";
import type { EvaluateResult, Evaluation } from "~/api/types";
import { coursesOf, depths, ends, mapOf, measured, probesName, probesValue } from "./figures";

function result(more: Partial<EvaluateResult> = {}): EvaluateResult {
  return {
    queries: 1_200, accuracy: 0.9, precision_at: { embedding: { 10: 0.8, 1: 0.9, 5: 0.85 } }, map: 0.7, per_class: [], routing_recall: 1, partitions_probed: 1.3,
    source: "photos", prefix: "val/", probes: "auto", ...more,
  };
}

const evaluation = (id: string, more: Partial<EvaluateResult> = {}): Evaluation => ({ id, generation: 4, at: "2026-01-01T00:00:00Z", result: result(more) });

describe("a setting", () => {
  it("is called as on the search page, and as it is asked for", () => {
    const all = ["auto", "all", 3, "3", 0.800000011920929, "0.99"];
    expect(all.map(probesName)).toEqual(["Likely ones", "All", "First 3", "First 3", "Until 80 % sure", "Until 99 % sure"]);
    expect(all.map(probesValue)).toEqual(["auto", "all", "3", "3", "0.8", "0.99"]);
  });
});

describe("the figures of an evaluation", () => {
  it("are of the depths that were measured", () => {
    const all = depths(result().precision_at, "embedding");
    expect([all, ends(all), ends([5]), depths(undefined, "embedding")]).toEqual([[1, 5, 10], [1, 10], [5], []]);
  });

  it("have a mean average precision by each ranking that has one", () => {
    expect([mapOf(result(), "embedding"), mapOf(result(), "probabilities"), mapOf({ map_by: { probabilities: 0.6 } }, "probabilities")]).toEqual([0.7, null, 0.6]);
  });

  it("say what they were measured with", () => {
    expect(measured(result({ generation: 4, model: "scenes@2" }))).toBe("generation 4 by scenes@2, photos/val/, 1,200 queries");
    expect(measured(result({ source: undefined, prefix: undefined }))).toBe("1,200 queries");
  });
});

describe("evaluations over time", () => {
  it("stand in one line when the same pictures were looked for the same way, the oldest first", () => {
    const courses = coursesOf([evaluation("5"), evaluation("4", { prefix: "test/" }), evaluation("3"), evaluation("2", { probes: "all" }), evaluation("1")]);
    expect(courses.map(({ name, depths: at, evaluations }) => [name, at, evaluations.map(({ id }) => id)])).toEqual([["photos/val/, likely ones", [1, 10], ["1", "3", "5"]]]);
  });

  it("are not in one line when mAP is of other depths", () => {
    expect(coursesOf([evaluation("2"), evaluation("1", { precision_at: { embedding: { 1: 0.9 } } })])).toEqual([]);
  });
});
