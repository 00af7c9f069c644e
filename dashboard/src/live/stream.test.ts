import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type EventType, type Source, Stream, type StreamStatus } from "./stream";

class FakeSource implements Source {
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  private readonly listeners = new Map<string, (message: MessageEvent<string>) => void>();

  constructor(readonly url: string) {}

  addEventListener(type: string, listener: (message: MessageEvent<string>) => void): void {
    this.listeners.set(type, listener);
  }

  close(): void {
    this.closed = true;
  }

  say(type: EventType, id: string, data: unknown = { job_id: "j" }): void {
    this.listeners.get(type)?.(new MessageEvent(type, { data: JSON.stringify(data), lastEventId: id }));
  }
}

function follow(endsAfter?: (type: EventType) => boolean) {
  const opened: FakeSource[] = [];
  const heard: [EventType, string | null][] = [];
  const statuses: StreamStatus[] = [];
  const stream = new Stream({
    url: "/v1/events",
    ...(endsAfter && { endsAfter }),
    onEvent: (type, event) => heard.push([type, event?.job_id ?? null]),
    onStatus: (status) => statuses.push(status),
    open: (url) => {
      const source = new FakeSource(url);
      opened.push(source);
      return source;
    },
  });
  const last = () => opened.at(-1) ?? expect.fail("nothing was opened");
  return { stream, opened, heard, statuses, last };
}

describe("a stream", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("starts from now and resumes after the last event it has heard", () => {
    const { stream, opened, heard, last } = follow();
    stream.start();
    last().onopen?.();
    last().say("queued", "41");
    last().say("started", "42");
    last().onerror?.();
    vi.advanceTimersByTime(500);
    expect(opened.map(({ url }) => url)).toEqual(["/v1/events", "/v1/events?after=42"]);
    expect(opened[0]?.closed).toBe(true);
    expect(heard.map(([type]) => type)).toEqual(["queued", "started"]);
  });

  it("waits twice as long after each failure, and anew after a success", () => {
    const { stream, opened, last } = follow();
    stream.start();
    last().onerror?.();
    vi.advanceTimersByTime(500);
    last().onerror?.();
    vi.advanceTimersByTime(999);
    expect(opened).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(opened).toHaveLength(3);
    last().onopen?.();
    last().onerror?.();
    vi.advanceTimersByTime(500);
    expect(opened).toHaveLength(4);
  });

  it("never waits longer than 15 seconds", () => {
    const { stream, opened, last } = follow();
    stream.start();
    for (let failure = 0; failure < 12; failure += 1) {
      last().onerror?.();
      vi.advanceTimersByTime(15_000);
    }
    expect(opened).toHaveLength(13);
  });

  it("keeps its place while paused", () => {
    const { stream, opened, last } = follow();
    stream.start();
    last().say("progress", "7");
    stream.pause();
    vi.advanceTimersByTime(60_000);
    expect(opened).toHaveLength(1);
    expect(last().closed).toBe(true);
    stream.start();
    expect(last().url).toBe("/v1/events?after=7");
  });

  it("ends when the server closes it after the job's end, and not after a failure that was retried", () => {
    const { stream, opened, statuses, last } = follow((type) => type === "failed" || type === "succeeded");
    stream.start();
    last().say("failed", "1");
    last().say("queued", "2");
    last().onerror?.();
    vi.advanceTimersByTime(500);
    expect(opened).toHaveLength(2);
    last().say("succeeded", "3");
    last().onerror?.();
    vi.advanceTimersByTime(60_000);
    expect(opened).toHaveLength(2);
    expect(statuses.at(-1)).toBe("closed");
  });

  it("stays closed once stopped", () => {
    const { stream, opened, last } = follow();
    stream.start();
    last().onerror?.();
    stream.stop();
    vi.advanceTimersByTime(60_000);
    stream.start();
    expect(opened).toHaveLength(1);
  });

  it("hands on a resync, which names no job, and what it cannot read, without an event", () => {
    const { stream, heard, last } = follow();
    stream.start();
    last().say("resync", "90", { id: 90, job_id: null });
    last().say("progress", "91", "nonsense");
    expect(heard).toEqual([["resync", null], ["progress", null]]);
  });
});
