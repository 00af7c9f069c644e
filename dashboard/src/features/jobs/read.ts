// Params and results are free-form JSON on the wire. These read them without trusting them.
import type { DryRunResult, EvaluateResult, IndexResult, Job, PrecisionAt, SearchResult, TrainResult, ValidateResult } from "~/api/types";

/** The value as an object; an empty one when it is none. */
export function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

export function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

export function number(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

/** P@k by ranking, of a result or a model's card. */
export function precisionAt(value: unknown): PrecisionAt {
  return record(value);
}

export function searchResult(job: Job): SearchResult | null {
  return holds(job, "search", "hits") ? (job.result as SearchResult) : null;
}

export function trainResult(job: Job): TrainResult | null {
  return holds(job, "train", "model") ? (job.result as TrainResult) : null;
}

export function dryRunResult(job: Job): DryRunResult | null {
  return holds(job, "index", "dry_run") && record(job.result).dry_run === true ? (job.result as DryRunResult) : null;
}

export function indexResult(job: Job): IndexResult | null {
  if (dryRunResult(job) !== null) return null;
  return holds(job, "index", "added") || holds(job, "rebuild", "added") ? (job.result as IndexResult) : null;
}

export function evaluateResult(job: Job): EvaluateResult | null {
  return holds(job, "evaluate", "precision_at") ? (job.result as EvaluateResult) : null;
}

export function validateResult(job: Job): ValidateResult | null {
  return holds(job, "validate", "classes") ? (job.result as ValidateResult) : null;
}

function holds(job: Job, kind: string, field: string): boolean {
  return job.kind === kind && field in record(job.result);
}
