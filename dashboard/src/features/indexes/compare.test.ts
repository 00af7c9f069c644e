import { describe, expect, it } from "vitest";
import type { EvaluateResult, GenerationState, Job, JobState, StoredGeneration } from "~/api/types";
import { mismatches, standingOf, together } from "./evaluations";
import { classesOf, figuresOf, tally } from "./figures";
import { chosenPair } from "./pair";

function generation(id: number, state: GenerationState, activated_at: string | null = null): StoredGeneration {
  return { id, state, model: `scenes@${id}`, entries: 10, size_bytes: 1, created_at: "2026-01-01T00:00:00Z", ready_at: null, activated_at };
}

function result(of: number, precision: number, more: Partial<EvaluateResult> = {}): EvaluateResult {
  return {
    generation: of, queries: 40, accuracy: 0.5, precision_at: { embedding: { "10": precision, "1": 0.9 } }, map: precision, routing_recall: 1, partitions_probed: 1,
    per_class: [{ class: "lemon", queries: 20, precision_at: { embedding: { "1": 0.9, "10": precision } }, map: 0.5 }], ...more,
  };
}

function job(id: string, state: JobState, params: object, outcome: EvaluateResult | null = null): Job {
  return {
    id, kind: "evaluate", queue: "index", state, state_reason: null, paused: false, priority: 0, labels: {}, attempt: 1, max_attempts: 3, worker: null,
    params: { index: "gallery", source: "photos", prefix: "val/", k: [1, 10], probes: "auto", ...params }, result: outcome, error: null,
    progress: { phase: "", done: 0, total: null, unit: "", failed: 0, rate: null, eta_seconds: null }, created_at: "2026-01-01T00:00:00Z", scheduled_at: null,
    started_at: null, finished_at: `2026-01-01T00:00:0${id}Z`, next_attempt_at: null, created_by: null,
  };
}

const measured = (id: string, of: number, params: object = {}, more: Partial<EvaluateResult> = {}) => job(id, "succeeded", { generation: of, ...params }, result(of, 0.5, more));
const measurementsOf = (jobs: Job[], id: number) => standingOf(jobs, "gallery", { id, state: "retired" }).measurements;

describe("the generations that are compared", () => {
  const all = [generation(9, "building"), generation(8, "ready"), generation(7, "ready"), generation(6, "active", "2026-01-03T00:00:00Z"), generation(5, "retired", "2026-01-01T00:00:00Z"), generation(4, "retired", "2026-01-02T00:00:00Z")];
  const ids = (...[of, asked]: Parameters<typeof chosenPair>) => {
    const pair = chosenPair(of, asked);
    return pair && [pair.a.id, pair.b.id];
  };

  it("are the active one and the newest ready one, or the one that was active before", () => {
    expect(ids(all, {})).toEqual([6, 8]);
    expect(ids(all.filter(({ state }) => state !== "ready"), {})).toEqual([6, 4]);
    expect(ids(all.slice(3, 4), {})).toBeNull();
  });

  it("are those that were asked for, when they are there and not the same", () => {
    expect(ids(all, { a: 5, b: 7 })).toEqual([5, 7]);
    expect(ids(all, { a: 9, b: 3 })).toEqual([6, 8]);
    expect(ids(all, { a: 8, b: 8 })).toEqual([8, 6]);
    expect(ids(all, { b: 6 })).toEqual([8, 6]);
  });
});

describe("the evaluations of a generation", () => {
  it("are told by what was measured, and by what was asked for until then", () => {
    const jobs = [job("5", "running", { generation: null }), job("4", "queued", { generation: 7 }), measured("3", 6, { generation: null }), job("2", "succeeded", { index: "other" }, result(6, 1)), job("1", "failed", { generation: 7 })];
    const active = standingOf(jobs, "gallery", { id: 6, state: "active" });
    expect([active.measurements.map(({ job: id }) => id), active.running?.id, active.failed]).toEqual([["3"], "5", null]);
    const ready = standingOf(jobs, "gallery", { id: 7, state: "ready" });
    expect([ready.measurements, ready.running?.id, ready.failed]).toEqual([[], "4", null]);
    expect(standingOf(jobs.slice(4), "gallery", { id: 7, state: "ready" }).failed?.id).toBe("1");
  });

  it("go together when they were measured alike, however old", () => {
    const jobs = [measured("4", 6, { prefix: "test/" }), measured("3", 7), measured("2", 6), measured("1", 7)];
    const { a, b } = together(measurementsOf(jobs, 6), measurementsOf(jobs, 7));
    expect([a?.job, b?.job]).toEqual(["2", "3"]);
    expect(together(measurementsOf(jobs.slice(0, 2), 6), measurementsOf(jobs, 7)).a?.job).toBe("4");
    expect(together(measurementsOf(jobs, 6), [])).toMatchObject({ b: null });
  });

  it("say what they were not measured alike with", () => {
    const said = (params: object, more: Partial<EvaluateResult> = {}) => {
      const [a, b] = [measurementsOf([measured("1", 6)], 6)[0], measurementsOf([measured("2", 7, params, more)], 7)[0]];
      return a && b && mismatches(a, b);
    };
    expect(said({})).toEqual([]);
    expect(said({ source: "archive", prefix: "" }, { queries: 7 })).toEqual(["Generation 6 was measured with photos/val/, generation 7 with archive."]);
    expect(said({}, { queries: 39 })).toEqual(["The pictures of photos/val/ have changed: generation 6 was measured with 40, generation 7 with 39."]);
    expect(said({ k: [50], probes: "all" })).toHaveLength(2);
    expect(said({ probes: 0.800000011920929 })).toEqual(["Searches probed partitions as they were needed for generation 6, partitions until their probabilities sum to 0.8 for generation 7."]);
  });
});

describe("the figures of two evaluations", () => {
  it("stand beside each other with the better one told", () => {
    const figures = figuresOf(result(6, 0.5), result(7, 0.75, { routing_recall: 0.98, accuracy: 0.50004 }));
    expect(figures.map(({ label, better }) => [label, better])).toEqual([["P@1", null], ["P@10", "b"], ["mAP", "b"], ["Routing recall", "a"], ["Accuracy", null]]);
    expect(tally({ a: "6", b: "7" }, figures)).toBe("Generation 7 is better in 2 of 5 figures, the other in 1.");
  });

  it("have no difference where one is missing", () => {
    const figures = figuresOf(null, result(7, 0.75, { map_by: { embedding: 0.7, probabilities: 0.6 } }));
    expect(figures.find(({ label }) => label === "mAP by probabilities")).toEqual({ label: "mAP by probabilities", a: null, b: 0.6, difference: null, better: null });
    expect(figuresOf(null, null)).toEqual([]);
  });

  it("are told of every class that either has, at the depth that both have", () => {
    const other = result(7, 0.75, { per_class: [{ class: "teapot", queries: 1, precision_at: { embedding: { "1": 1 } } }, { class: "lemon", queries: 20, precision_at: { embedding: { "1": 1, "10": 0.75 } } }] });
    const rows = classesOf(result(6, 0.5), other);
    expect(rows.map((row) => [row.class, row.precision.label, row.precision.difference, row.map.b])).toEqual([["lemon", "P@10", 0.25, null], ["teapot", "P@10", null, null]]);
  });
});
