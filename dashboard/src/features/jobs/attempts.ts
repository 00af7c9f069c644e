// Tells a job's attempts from its events.
import type { JobError, JobEvent, JobState } from "~/api/types";
import type { EventType } from "~/live/stream";
import { isFinal } from "./states";

export interface Attempt {
  number: number;
  startedAt: string;
  endedAt: string | null;
  /** Where the job went when the attempt ended; `queued` is a worker that handed it back, or a pause. */
  end: JobState | null;
  error: JobError | null;
}

/** The attempts known before, and what `event` adds to them. */
export function withEvent(attempts: Attempt[], type: EventType, event: JobEvent): Attempt[] {
  if (type === "started") {
    if (attempts.some((attempt) => attempt.startedAt === event.at)) return attempts;
    return [...attempts, { number: event.attempt, startedAt: event.at, endedAt: null, end: null, error: null }];
  }
  const last = attempts.at(-1);
  if (last?.endedAt !== null || !ends(type, event.state)) return attempts;
  // A stream that is opened anew tells the past again.
  if (Date.parse(event.at) < Date.parse(last.startedAt)) return attempts;
  return [...attempts.slice(0, -1), { ...last, endedAt: event.at, end: event.state, error: event.error }];
}

function ends(type: EventType, state: JobState): boolean {
  if (type === "metrics" || type === "steps") return false;
  return type === "retrying" || type === "released" || type === "paused" || isFinal(state);
}
