import { describe, expect, it } from "vitest";
import type { JobAction } from "~/api/types";
import { type Attempt, withEvent } from "./attempts";
import { bulkWire, jobSearch, wire } from "./filter";
import { summaryOf } from "./kinds";
import { amount, outcome, share } from "./outcome";
import { aJob, anEvent } from "./sample";
import { allows, STATE_ORDER, STATES } from "./states";
import { codesOf, jobView } from "./tabs";
import { timeline } from "./timeline";
import { idsBetween } from "./useSelection";

const NOW = Date.parse("2026-11-23T12:01:00Z");

describe("states", () => {
  it("are all listed once", () => {
    expect([...STATE_ORDER].sort()).toEqual(Object.keys(STATES).sort());
  });

  it("allow what the API allows", () => {
    const able = (action: JobAction, paused = false) => STATE_ORDER.filter((state) => allows({ state, paused }, action)).sort();
    expect(able("cancel")).toEqual(["queued", "retrying", "running", "scheduled"]);
    expect(able("retry")).toEqual(["cancelled", "failed"]);
    expect(able("delete")).toEqual(["cancelled", "failed", "succeeded"]);
    expect([able("pause"), able("pause", true)]).toEqual([["queued", "retrying", "running"], []]);
    expect([able("resume"), able("resume", true)]).toEqual([[], ["queued", "running"]]);
  });
});

describe("a job's page", () => {
  it("keeps its tab and the chosen reasons in the URL", () => {
    expect(jobView({ tab: "pictures", codes: "corrupt,, gone " })).toEqual({ tab: "pictures", codes: "corrupt,gone" });
    expect(jobView({ tab: "nowhere", codes: 7 })).toEqual({ tab: undefined, codes: undefined });
    expect([codesOf(undefined), codesOf("corrupt,gone")]).toEqual([[], ["corrupt", "gone"]]);
  });
});

describe("attempts", () => {
  it("are told from events, the same ones twice included", () => {
    const error = { code: "x", detail: "y" };
    const events = [
      ["started", anEvent()],
      ["retrying", anEvent({ state: "retrying", error, at: "2026-11-23T12:00:20Z" })],
      ["started", anEvent({ attempt: 2, at: "2026-11-23T12:00:30Z" })],
      ["progress", anEvent({ attempt: 2, at: "2026-11-23T12:00:31Z" })],
    ] as const;
    const attempts = [...events, ...events].reduce<Attempt[]>((known, [type, event]) => withEvent(known, type, event), []);
    expect(attempts).toEqual([
      { number: 1, startedAt: "2026-11-23T12:00:05Z", endedAt: "2026-11-23T12:00:20Z", end: "retrying", error },
      { number: 2, startedAt: "2026-11-23T12:00:30Z", endedAt: null, end: null, error: null },
    ]);
  });
});

describe("the timeline", () => {
  it("of a running job ends with an open stretch", () => {
    const steps = timeline(aJob({ state: "running", attempt: 1, started_at: "2026-11-23T12:00:05Z" }), NOW);
    expect(steps.map(({ label, at, before }) => [label, at !== null, before?.ms ?? null, before?.running ?? null])).toEqual([
      ["Created", true, null, null], ["Started", true, 5_000, false], ["Finished", false, 55_000, true],
    ]);
  });

  it("shows the wait for a set time", () => {
    const steps = timeline(aJob({ state: "scheduled", scheduled_at: "2026-11-23T13:00:00Z" }), NOW);
    expect(steps.map(({ label }) => label)).toEqual(["Created", "Scheduled", "Started", "Finished"]);
    expect(steps[2]?.before).toBeNull();
  });
});

describe("a job's lines", () => {
  it("name what it is about", () => {
    expect(summaryOf(aJob())).toEqual({ title: "scenes", detail: "photos/train/" });
    expect(summaryOf(aJob({ kind: "search", params: { index: "gallery", k: 20, query: { by: "entry" } } }))).toEqual({ title: "gallery", detail: "by entry · top 20" });
    expect(summaryOf(aJob({ kind: "later", params: null })).title).toBe("later");
  });

  it("say how far it is and how it ended", () => {
    const progress = { phase: "indexing", done: 30, total: 120, unit: "pictures", failed: 0, rate: 10, eta_seconds: 9 };
    expect([share(progress), share({ ...progress, total: null }), amount(progress)]).toEqual([0.25, null, "30 of 120 pictures"]);
    expect(outcome(aJob({ state: "retrying", next_attempt_at: "2026-11-23T12:01:30Z" }), NOW)).toBe("Tries again in 30 s");
    expect(outcome(aJob({ paused: true, progress }), NOW)).toBe("Paused at 25 %");
    expect(outcome(aJob({ state: "failed", error: { code: "x", detail: "no such model" } }), NOW)).toBe("no such model");
    expect(outcome(aJob({ state: "succeeded", result: { something: "else" } }), NOW)).toBe("Done");
  });
});

describe("the list's filter", () => {
  it("keeps what is valid of a URL", () => {
    expect(jobSearch({ state: "failed", kind: "train", queue: "", label: 7, since: "24h", other: 1 })).toEqual({
      state: "failed", kind: "train", queue: undefined, label: undefined, since: "24h",
    });
    expect(jobSearch({ state: "toString", since: "forever" }).state).toBeUndefined();
  });

  it("turns a period into a time", () => {
    expect(wire({ since: "1h" }, NOW).since).toBe("2026-11-23T11:01:00.000Z");
    expect(wire({}, NOW).since).toBeUndefined();
  });

  it("names several values for an action on many jobs, and leaves out what is not set", () => {
    const sent: unknown = JSON.parse(JSON.stringify(bulkWire({ state: "failed", since: "1h", kind: undefined }, NOW)));
    expect(sent).toEqual({ state: ["failed"], since: "2026-11-23T11:01:00.000Z" });
    expect(JSON.stringify(bulkWire({}, NOW))).toBe("{}");
  });
});

describe("a range of rows", () => {
  it("goes both ways, and is one row when its start is gone", () => {
    const rows = ["a", "b", "c", "d"];
    expect(idsBetween(rows, "b", "d")).toEqual(["b", "c", "d"]);
    expect(idsBetween(rows, "c", "a")).toEqual(["a", "b", "c"]);
    expect(idsBetween(rows, "gone", "c")).toEqual(["c"]);
  });
});
