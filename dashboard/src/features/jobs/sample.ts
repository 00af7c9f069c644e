// A job and an event for tests.
import type { Job, JobEvent } from "~/api/types";

export function aJob(changes: Partial<Job> = {}): Job {
  return {
    id: "j1", kind: "train", queue: "train", state: "queued", state_reason: null, paused: false, priority: 0,
    params: { model: "scenes", dataset: { source: "photos", prefix: "train/" } }, labels: {}, attempt: 0, max_attempts: 3,
    progress: { phase: "queued", done: 0, total: null, unit: "", failed: 0, rate: null, eta_seconds: null }, result: null, error: null, worker: null, created_at: "2026-11-23T12:00:00Z", scheduled_at: null,
    started_at: null, finished_at: null, next_attempt_at: null, created_by: "admin", ...changes,
  };
}

export function anEvent(changes: Partial<JobEvent> = {}): JobEvent {
  return {
    id: 1, job_id: "j1", kind: "train", queue: "train", state: "running", attempt: 1, progress: null, error: null,
    data: null, at: "2026-11-23T12:00:05Z", ...changes,
  };
}
