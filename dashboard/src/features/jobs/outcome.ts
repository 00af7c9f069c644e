// The one line that says where a job stands: how far it is, what it waits for, or how it ended.
import type { Job, Progress } from "~/api/types";
import { count, counted, percent, significant } from "~/format/number";
import { duration, relative } from "~/format/time";
import { dryRunResult, evaluateResult, indexResult, searchResult, trainResult, validateResult } from "./read";

/** A code as a heading: `too_few_pictures` → `Too few pictures`. */
export function headline(code: string): string {
  const words = code.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Whether anything was counted yet: a job that waits, and a search, count nothing. */
export function isCounted(progress: Progress): boolean {
  return progress.unit !== "";
}

/** Share done, 0 to 1; null when the total is not known. */
export function share(progress: Progress | null): number | null {
  if (!progress?.total) return null;
  return Math.min(1, progress.done / progress.total);
}

/** `12,400 of 50,000 pictures`. */
export function amount(progress: Progress): string {
  const total = progress.total === null ? "" : ` of ${count(progress.total)}`;
  return `${count(progress.done)}${total} ${progress.unit}`;
}

/** `3 m 05 s left`; nothing until it can be told. */
export function remaining(progress: Progress | null): string | null {
  const seconds = progress?.eta_seconds ?? null;
  return seconds === null ? null : `${duration(Math.max(1_000, seconds * 1_000))} left`;
}

/** What a job that does not run waits for, or how it ended. */
export function outcome(job: Job, now: number): string {
  switch (job.state) {
    case "scheduled":
      return job.scheduled_at === null ? "Waits for its time" : `Starts ${relative(job.scheduled_at, now)}`;
    case "retrying":
      return job.next_attempt_at === null ? "Tries again soon" : `Tries again ${relative(job.next_attempt_at, now)}`;
    case "queued":
      if (job.paused) return pausedAt(job);
      return job.attempt > 0 ? "Handed back, waits for a worker" : "Waits for a worker";
    case "failed":
      return job.error?.detail ?? job.state_reason ?? "Failed";
    case "cancelled":
      return job.state_reason ?? "Cancelled";
    case "succeeded":
      return success(job);
    case "running":
    case "cancelling":
      return isCounted(job.progress) ? job.progress.phase : "Started";
  }
}

function pausedAt({ progress }: Job): string {
  const done = share(progress);
  return done === null ? "Paused" : `Paused at ${percent(done, 0)}`;
}

function success(job: Job): string {
  const search = searchResult(job);
  if (search !== null) return `${counted(search.hits.length, "hit")} in ${significant(search.timings_ms.total)} ms`;
  const train = trainResult(job);
  if (train !== null) return `${train.model}, ${percent(train.validation_accuracy)} accurate`;
  const dry = dryRunResult(job);
  if (dry !== null) return `Would add ${count(dry.added)}, update ${count(dry.updated)}, remove ${count(dry.removed)}`;
  const index = indexResult(job);
  if (index !== null) return indexed(index.added, index.updated, index.failed);
  const evaluation = evaluateResult(job);
  if (evaluation !== null) {
    return `P@1 ${significant(evaluation.precision_at.embedding?.["1"])} over ${count(evaluation.queries)} queries`;
  }
  const validation = validateResult(job);
  if (validation !== null) return `${counted(validation.readable, "readable picture")}, ${counted(validation.classes.length, "class", "classes")}`;
  return "Done";
}

function indexed(added: number, updated: number, failed: number): string {
  const parts = [`${count(added)} added`];
  if (updated > 0) parts.push(`${count(updated)} updated`);
  if (failed > 0) parts.push(`${count(failed)} failed`);
  return parts.join(", ");
}
