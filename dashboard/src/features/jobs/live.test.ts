import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Job } from "~/api/types";
import { advanced, liveJobs } from "./live";
import { jobKeys, type JobPages } from "./queries";
import { aJob, anEvent } from "./sample";

describe("a job after an event", () => {
  it("has started, and keeps its start on progress", () => {
    const started = advanced(aJob(), "started", anEvent());
    expect(started).toMatchObject({ state: "running", attempt: 1, started_at: "2026-11-23T12:00:05Z" });
    const progress = { phase: "training", done: 1, total: 4, unit: "epochs", failed: 0, rate: null, eta_seconds: null };
    const later = advanced(started, "progress", anEvent({ progress, at: "2026-11-23T12:00:09Z" }));
    expect(later).toMatchObject({ progress, started_at: "2026-11-23T12:00:05Z", finished_at: null });
  });

  it("says why it waits, and forgets it when it goes on", () => {
    const error = { code: "source_unreachable", detail: "503" };
    const data = { next_attempt_at: "2026-11-23T12:01:00Z", state_reason: "the source did not answer" };
    const waiting = advanced(aJob({ state: "running" }), "retrying", anEvent({ state: "retrying", error, data }));
    expect(waiting).toMatchObject({ error, ...data });
    const again = advanced(waiting, "started", anEvent({ attempt: 2 }));
    expect(again).toMatchObject({ error: null, next_attempt_at: null, state_reason: null, attempt: 2 });
  });

  it("is paused by a pause until it is resumed or goes on", () => {
    const pausing = advanced(aJob({ state: "running" }), "pausing", anEvent({ data: { state_reason: "pausing" } }));
    expect(pausing).toMatchObject({ paused: true, state_reason: "pausing" });
    const still = [advanced(pausing, "steps", anEvent()), advanced(pausing, "paused", anEvent({ state: "queued" }))];
    expect(still.map(({ paused }) => paused)).toEqual([true, true]);
    expect(advanced(pausing, "resumed", anEvent()).paused).toBe(false);
    expect(advanced(pausing, "succeeded", anEvent({ state: "succeeded" })).paused).toBe(false);
  });

  it("is left alone by other jobs' events", () => {
    const job = aJob();
    expect(advanced(job, "started", anEvent({ job_id: "other" }))).toBe(job);
  });
});

describe("live jobs", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function setUp() {
    const client = new QueryClient();
    client.setQueryData<Job>(jobKeys.one("j1"), aJob());
    const key = [...jobKeys.list({}), 50];
    client.setQueryData<JobPages>(key, { pages: [{ items: [aJob({ id: "j0" }), aJob()], next_cursor: null }], pageParams: [undefined] });
    const invalidate = vi.spyOn(client, "invalidateQueries");
    const states = () => client.getQueryData<JobPages>(key)?.pages.flatMap(({ items }) => items.map(({ state }) => state));
    return { client, invalidate, states, live: liveJobs(client) };
  }

  it("write an event into the list and the job at once", () => {
    const { client, live, states } = setUp();
    live.receive("started", anEvent());
    expect(states()).toEqual(["queued", "running"]);
    expect(client.getQueryData<Job>(jobKeys.one("j1"))?.state).toBe("running");
  });

  it("fetch at most once a second however many events come", () => {
    const { live, invalidate } = setUp();
    for (let id = 0; id < 500; id += 1) live.receive("succeeded", anEvent({ id, state: "succeeded" }));
    expect(invalidate).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_000);
    const keys = invalidate.mock.calls.map(([filter]) => JSON.stringify(filter?.queryKey));
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys).toContain(JSON.stringify(jobKeys.lists));
    expect(keys).toContain(JSON.stringify(["models"]));
  });

  it("fetch nothing for mere progress, and all jobs after a resync", () => {
    const { live, invalidate } = setUp();
    live.receive("progress", anEvent());
    vi.advanceTimersByTime(5_000);
    expect(invalidate).not.toHaveBeenCalled();
    live.receive("resync", null);
    vi.advanceTimersByTime(1_000);
    expect(invalidate.mock.calls.map(([filter]) => filter?.queryKey)).toContainEqual(jobKeys.all);
  });

  it("ask no more for a job that is deleted from here, unless that is refused", async () => {
    const { client, live } = setUp();
    const queryFn = vi.fn(() => Promise.resolve(aJob()));
    const seen = new QueryObserver(client, { queryKey: jobKeys.one("j1"), queryFn, staleTime: Infinity });
    const close = seen.subscribe(() => undefined);
    const deletion = (mutationFn: () => Promise<void>) =>
      client.getMutationCache().build(client, { mutationKey: jobKeys.action("j1"), mutationFn }).execute("delete");
    await expect(deletion(() => Promise.reject(new Error("refused")))).rejects.toThrow("refused");
    live.receive("cancelled", anEvent({ state: "cancelled" }));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(queryFn).toHaveBeenCalledTimes(1);
    await deletion(() => Promise.resolve());
    live.receive("deleted", anEvent());
    live.receive("resync", null);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(queryFn).toHaveBeenCalledTimes(1);
    close();
  });
});
