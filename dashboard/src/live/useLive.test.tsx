// @vitest-environment happy-dom
import { act, cleanup, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useLive } from "./useLive";

const opened: StubSource[] = [];

class StubSource {
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  listeners = new Map<string, (message: MessageEvent<string>) => void>();
  close = vi.fn();

  constructor(readonly url: string) {
    opened.push(this);
  }

  addEventListener(type: string, listener: (message: MessageEvent<string>) => void): void {
    this.listeners.set(type, listener);
  }
}

function show(state: "visible" | "hidden"): void {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(state);
  act(() => {
    document.dispatchEvent(new Event("visibilitychange"));
  });
}

beforeEach(() => {
  opened.length = 0;
  vi.stubGlobal("EventSource", StubSource);
});

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

it("lets the connection go while the tab is hidden and resumes where it was", () => {
  const { result } = renderHook(() => useLive("/v1/events", () => undefined));
  act(() => opened[0]?.onopen?.());
  expect(result.current).toBe("live");
  act(() => opened[0]?.listeners.get("progress")?.(new MessageEvent("progress", { data: "{}", lastEventId: "12" })));
  show("hidden");
  expect(opened[0]?.close).toHaveBeenCalled();
  expect(opened).toHaveLength(1);
  show("visible");
  expect(opened.map(({ url }) => url)).toEqual(["/v1/events", "/v1/events?after=12"]);
});

it("hands events to the newest callback without opening another stream", () => {
  const heard: string[] = [];
  const { rerender } = renderHook(({ name }) => useLive("/v1/events", (type) => heard.push(`${name}:${type}`)), { initialProps: { name: "first" } });
  rerender({ name: "second" });
  act(() => opened[0]?.listeners.get("queued")?.(new MessageEvent("queued", { data: "{}", lastEventId: "1" })));
  expect(heard).toEqual(["second:queued"]);
  expect(opened).toHaveLength(1);
});

it("closes the stream when its component goes", () => {
  const { unmount } = renderHook(() => useLive("/v1/events", () => undefined));
  unmount();
  expect(opened[0]?.close).toHaveBeenCalled();
});
