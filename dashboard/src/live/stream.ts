// A server-sent event stream that survives everything: it remembers the last event id and asks for what
// came after it (`?after=`) when the connection breaks, the server restarts or the tab comes back. A browser
// reopens a broken stream by itself, but not one that was refused, and not with a back-off; so this closes
// and opens streams on its own. While the tab is hidden no connection is held, since a browser allows only
// six to one HTTP/1.1 host.
import type { JobEvent } from "~/api/types";

export const EVENT_TYPES = [
  "queued", "scheduled", "started", "progress", "retrying", "pausing", "paused", "resumed", "cancelling", "succeeded",
  "failed", "cancelled", "released", "metrics", "steps", "deleted", "resync",
] as const;

export type EventType = (typeof EVENT_TYPES)[number];
export type StreamStatus = "connecting" | "live" | "waiting" | "closed";

/** What a `Stream` needs of an `EventSource`. */
export interface Source {
  onopen: (() => void) | null;
  onerror: (() => void) | null;
  addEventListener: (type: string, listener: (message: MessageEvent<string>) => void) => void;
  close: () => void;
}

export interface StreamOptions {
  url: string;
  /** Whether the server may close the stream for good after an event of this type. */
  endsAfter?: (type: EventType) => boolean;
  onEvent: (type: EventType, event: JobEvent | null) => void;
  onStatus: (status: StreamStatus) => void;
  open?: (url: string) => Source;
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;

export class Stream {
  private source: Source | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;
  private lastId: string | undefined;
  private lastType: EventType | undefined;
  private ended = false;

  constructor(private readonly options: StreamOptions) {}

  /** Opens the stream, unless it is open or over. */
  start(): void {
    if (this.ended || this.source !== null) return;
    clearTimeout(this.timer);
    this.options.onStatus("connecting");
    const source = (this.options.open ?? openEventSource)(this.address());
    this.source = source;
    source.onopen = () => {
      this.failures = 0;
      this.options.onStatus("live");
    };
    source.onerror = () => this.closed();
    for (const type of EVENT_TYPES) source.addEventListener(type, (message) => this.receive(type, message));
  }

  /** Closes the connection and keeps the place; `start` goes on from there. */
  pause(): void {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  /** Closes the stream for good. */
  stop(): void {
    this.ended = true;
    this.pause();
    this.options.onStatus("closed");
  }

  private address(): string {
    if (this.lastId === undefined) return this.options.url;
    return `${this.options.url}?after=${encodeURIComponent(this.lastId)}`;
  }

  private receive(type: EventType, message: MessageEvent<string>): void {
    if (message.lastEventId !== "") this.lastId = message.lastEventId;
    this.lastType = type;
    this.options.onEvent(type, parsed(message.data));
  }

  private closed(): void {
    if (this.lastType !== undefined && this.options.endsAfter?.(this.lastType)) this.stop();
    else this.retryLater();
  }

  private retryLater(): void {
    this.pause();
    this.options.onStatus("waiting");
    const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.failures);
    this.failures += 1;
    this.timer = setTimeout(() => this.start(), delay);
  }
}

function openEventSource(url: string): Source {
  return new EventSource(url) as Source;
}

function parsed(data: string): JobEvent | null {
  try {
    const value: unknown = JSON.parse(data);
    const isJobs = typeof value === "object" && value !== null && "job_id" in value && typeof value.job_id === "string";
    return isJobs ? (value as JobEvent) : null;
  } catch {
    return null;
  }
}
