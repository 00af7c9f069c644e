// The life of a job as steps with the time spent between them.
import type { Job } from "~/api/types";
import { between } from "~/format/time";
import { STATES } from "./states";

export interface Step {
  label: string;
  at: string | null;
  color: string;
  /** What the time since the step before was spent on, and how long it was; null when it has not begun. */
  before: { label: string; ms: number; running: boolean } | null;
}

/** Steps up to the end, the coming ones without a time. */
export function timeline(job: Job, now: number): Step[] {
  const steps: Step[] = [{ label: "Created", at: job.created_at, color: "gray", before: null }];
  const due = scheduledLater(job) ? job.scheduled_at : null;
  if (due !== null) steps.push({ label: "Scheduled", at: due, color: "violet", before: span("held", job.created_at, due, now) });

  const ready = due ?? job.created_at;
  const started = job.started_at;
  const waiting = started === null && job.finished_at === null;
  steps.push({
    label: job.attempt > 1 ? `Attempt ${job.attempt}` : "Started",
    at: started,
    color: started === null ? "gray" : "brand",
    before: started !== null ? span("waited", ready, started, now) : waiting ? open("waiting", ready, now) : null,
  });

  if (job.state === "retrying") {
    steps.push({ label: "Next attempt", at: job.next_attempt_at, color: "orange", before: null });
  }
  const meaning = STATES[job.state];
  steps.push({
    label: meaning.isFinal ? meaning.label : "Finished",
    at: job.finished_at,
    color: meaning.isFinal ? meaning.color : "gray",
    before: ending(job, now),
  });
  return steps;
}

function ending(job: Job, now: number): Step["before"] {
  if (job.started_at === null) return null;
  if (job.finished_at !== null) return span("ran", job.started_at, job.finished_at, now);
  const moving = job.state === "running" || job.state === "cancelling";
  return moving ? open("running", job.started_at, now) : null;
}

function scheduledLater(job: Job): boolean {
  return job.scheduled_at !== null && between(job.created_at, job.scheduled_at, 0) > 1_000;
}

function span(label: string, from: string, to: string, now: number): NonNullable<Step["before"]> {
  return { label, ms: Math.max(0, between(from, to, now)), running: false };
}

function open(label: string, from: string, now: number): Step["before"] {
  const ms = between(from, null, now);
  return ms < 0 ? null : { label, ms, running: true };
}
