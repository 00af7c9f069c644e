// What the states of a job mean to a reader: their order, names, colours, and what can be done in each.
import {
  IconBan, IconCalendarClock, IconCircleCheck, IconCircleX, IconClockHour4, IconHandStop, IconLoader2, IconRotateClockwise2,
  type Icon,
} from "@tabler/icons-react";
import type { Job, JobAction, JobState } from "~/api/types";

interface Meaning {
  label: string;
  color: string;
  icon: Icon;
  isFinal: boolean;
  actions: JobAction[];
  /** Said when the job gives no reason of its own. */
  about: string;
}

export const STATES: Record<JobState, Meaning> = {
  queued: { label: "Queued", color: "gray", icon: IconClockHour4, isFinal: false, actions: ["cancel", "pause", "resume"], about: "Waits for a free worker" },
  scheduled: { label: "Scheduled", color: "violet", icon: IconCalendarClock, isFinal: false, actions: ["cancel"], about: "Waits for its time" },
  running: { label: "Running", color: "brand", icon: IconLoader2, isFinal: false, actions: ["cancel", "pause", "resume"], about: "A worker is on it" },
  retrying: { label: "Retrying", color: "orange", icon: IconRotateClockwise2, isFinal: false, actions: ["cancel", "pause"], about: "Waits before its next attempt" },
  cancelling: { label: "Cancelling", color: "yellow", icon: IconHandStop, isFinal: false, actions: [], about: "Stops at its next batch" },
  succeeded: { label: "Succeeded", color: "teal", icon: IconCircleCheck, isFinal: true, actions: ["delete"], about: "Done" },
  failed: { label: "Failed", color: "red", icon: IconCircleX, isFinal: true, actions: ["retry", "delete"], about: "Ended without a result" },
  cancelled: { label: "Cancelled", color: "gray", icon: IconBan, isFinal: true, actions: ["retry", "delete"], about: "Ended because somebody asked for it" },
};

/** In the order a reader looks for them. */
export const STATE_ORDER: JobState[] = [
  "running", "queued", "scheduled", "retrying", "cancelling", "succeeded", "failed", "cancelled",
];

export function isJobState(value: unknown): value is JobState {
  return typeof value === "string" && Object.hasOwn(STATES, value);
}

export function isFinal(state: JobState): boolean {
  return STATES[state].isFinal;
}

/** Whether an action does something to a job; what is paused can only be resumed, and nothing else can. */
export function allows({ state, paused }: Pick<Job, "state" | "paused">, action: JobAction): boolean {
  const fits = action === "pause" ? !paused : action === "resume" ? paused : true;
  return fits && STATES[state].actions.includes(action);
}
