// The mock's jobs: a believable past, and one step of their lives at a time.
import type { EpochMetrics, Job, JobEvent, JobState, LogLine, StepMetrics } from "../../src/api/types.ts";
import { between, chance, id, pick, whole } from "./chance.ts";
import { evaluated } from "./generations.ts";
import { answer, CLASSES } from "./library.ts";

const QUEUE_OF: Record<string, string> = { train: "train", index: "index", evaluate: "index", rebuild: "index", search: "search", validate: "maintenance" };
const FAILURES = [
  { code: "class_too_small", detail: "class \"lemon\" of photos/train/ has 62 readable pictures, at least 100 are needed (min_images_per_class)" },
  { code: "source_unreachable", detail: "s3://studio-photos: 503 Slow Down after 5 tries" },
  { code: "picture_unreadable", detail: "the picture is no JPEG, PNG, WebP, GIF, BMP or TIFF: its first bytes are 3c 21 44 4f" },
  { code: "model_not_found", detail: "there is no model \"scene\"; did you mean \"scenes\"?" },
];

/** The worker that the mock says ran everything. */
export const WORKER = id(Date.now());

export const jobs: Job[] = [];
export const logs = new Map<string, LogLine[]>();
export const metrics = new Map<string, EpochMetrics[]>();
export const events: { type: string; data: JobEvent }[] = [];
let lastEvent = 41_000;

const iso = (at: number) => new Date(at).toISOString();

function params(kind: string): unknown {
  switch (kind) {
    case "train":
      return {
        model: "scenes", backbone: "mobilenet_v2", dataset: { source: "photos", prefix: "train/" }, validation: { source: "photos", prefix: "val/" },
        pretrained: "imagenet-mobilenet", image_size: 224, epochs: 30, batch_size: 64, optimizer: "sgd", learning_rate: 0.01, momentum: 0.9,
        weight_decay: 0.0005, schedule: "cosine", augment: { crop: true, mirror: true, color_pca: true }, precision: "auto", seed: 1, early_stopping: null, min_images_per_class: 100,
      };
    case "index":
      return { index: pick(["gallery", "catalogue"]), source: "photos", prefix: "gallery/", mode: pick(["add", "sync"]), model: "scenes@2" };
    case "evaluate":
      return { index: "gallery", source: "photos", prefix: "val/", k: [1, 5, 10], probes: "auto" };
    case "rebuild":
      return { index: "gallery", model: "scenes@2" };
    case "validate":
      return { source: "photos", prefix: "train/" };
    default:
      return { index: "gallery", k: 20, query: chance() < 0.3 ? { by: "entry", entry_id: "16-77" } : { by: "picture" }, probes: "auto", rank_by: "embedding" };
  }
}

export function result(kind: string, asked?: unknown): unknown {
  const precision_at = { embedding: { 1: 0.943, 5: 0.935, 10: 0.921 }, probabilities: { 1: 0.911, 5: 0.907, 10: 0.886 } };
  switch (kind) {
    case "train":
      return { model: "scenes@2", epochs: 30, best_epoch: 26, validation_accuracy: 0.9312, train_accuracy: 0.9871, precision_at, images_per_second: 4812.4, device: "NVIDIA H100 80GB HBM3", seconds: 61.2 };
    case "search":
      return answer("gallery", 20, "embedding", whole(0, 19));
    case "evaluate":
      return evaluated(asked);
    case "validate":
      return { files: 8_012, readable: 8_009, unreadable: 3, exact_duplicates: 11, problems: ["class \"lemon\" has 62 readable pictures, at least 100 are needed"], warnings: ["11 pictures are there twice"], suggested_image_size: 224, sizes: { smallest: "120 x 90", median: "500 x 375", largest: "6000 x 4000" }, classes: CLASSES.map((name, place) => ({ class: name, files: 400 + place, readable: 400 + place - (place === 3 ? 3 : 0) })) };
    default:
      return { index: "gallery", generation: 4, added: whole(9_000, 12_000), updated: whole(0, 40), unchanged: whole(0, 2_000), removed: 0, failed: whole(0, 14), images_per_second: between(2_100, 2_900), seconds: between(3, 8), stages: stages(between(3, 8)) };
  }
}

/** Of a pipeline that ran for so long, decoding the slowest part of it. */
function stages(seconds: number) {
  const waits = (input: number, output: number) => ({ waits_for_input: seconds * input, waits_for_output: seconds * output });
  return { list: waits(0.04, 0.95), read: { ...waits(0.01, 0.06), fetching: seconds * 1.2, decoding: seconds * 7 }, embed: waits(0.52, 0.01), commit: waits(0.91, 0) };
}

/** A job as it is a moment after it was asked for. */
export function newJob(kind: string, at: number, state: JobState): Job {
  const final = state === "succeeded" || state === "failed" || state === "cancelled";
  const took = kind === "search" ? between(8, 40) : kind === "train" ? between(50_000, 400_000) : between(2_500, 60_000);
  const started = state === "queued" || state === "scheduled" ? null : at + between(2, 900);
  const job: Job = {
    id: id(at), kind, queue: QUEUE_OF[kind] ?? "maintenance", state, state_reason: state === "cancelled" ? "cancelled by vision-team" : null, paused: false, priority: 0, params: params(kind),
    labels: kind === "search" ? {} : { team: pick(["vision", "shop", "archive"]) }, attempt: started === null ? 0 : state === "retrying" ? 2 : 1, max_attempts: 3,
    progress: { phase: state, done: 0, total: null, unit: "", failed: 0, rate: null, eta_seconds: null }, result: state === "succeeded" ? result(kind) : null, error: state === "failed" || state === "retrying" ? pick(FAILURES) : null,
    worker: started === null ? null : WORKER, created_at: iso(at), scheduled_at: state === "scheduled" ? iso(at + 3_600_000) : null, started_at: started === null ? null : iso(started),
    finished_at: final && started !== null ? iso(started + took) : null, next_attempt_at: state === "retrying" ? iso(at + 45_000) : null, created_by: pick(["admin", "vision-team"]),
  };
  jobs.unshift(job);
  return job;
}

export function tell(job: Job, type: string): void {
  lastEvent += 1;
  const { kind, queue, state, attempt, progress, error } = job;
  events.push({ type, data: { id: lastEvent, job_id: job.id, kind, queue, state, attempt, progress, error, data: null, at: iso(Date.now()) } });
  if (events.length > 4_000) events.splice(0, 1_000);
}

/** Moves a job to `state` and tells it. */
export function become(job: Job, state: JobState, type: string = state): void {
  job.state = state;
  if (type === "started") Object.assign(job, { started_at: iso(Date.now()), attempt: job.attempt + 1, worker: WORKER });
  if (state === "succeeded" || state === "failed" || state === "cancelled") job.finished_at = iso(Date.now());
  if (state === "succeeded") job.result = result(job.kind, job.params);
  tell(job, type);
}

export function fail(job: Job): void {
  job.error = pick(FAILURES);
  become(job, "failed");
}

export function epoch(number: number): EpochMetrics {
  const grown = 1 - Math.exp(-number / 6);
  const wobble = () => between(-0.008, 0.008);
  return {
    epoch: number, loss: 2.9 * (1 - grown) + 0.09 + Math.abs(wobble()), train_accuracy: Math.min(0.995, 0.22 + 0.77 * grown + wobble()), validation_loss: 2.7 * (1 - grown) + 0.27 + Math.abs(wobble()),
    validation_accuracy: Math.min(0.94, 0.3 + 0.635 * grown + wobble()), learning_rate: 0.005 * (1 + Math.cos((Math.PI * number) / 30)), images_per_second: between(4_650, 4_900), seconds: between(1.9, 2.2),
    elapsed_seconds: number * 2.05, loader_wait_share: between(0.02, 0.09), utilisation_percent: between(86, 97), memory_used_bytes: 11.2 * 2 ** 30,
    precision_at_10: Math.min(0.92, 0.28 + 0.63 * grown + wobble()), map: Math.min(0.89, 0.22 + 0.66 * grown + wobble()), eta_seconds: Math.max(0, 30 - number) * 2.05,
  };
}

/** What the steps of `epochs` epochs measured. */
export function steps(epochs: number): StepMetrics[] {
  return Array.from({ length: epochs * 12 }, (_, place) => {
    const { epoch: number, loss, train_accuracy, learning_rate, images_per_second, loader_wait_share = null } = epoch(1 + place / 12);
    return {
      step: (place + 1) * 10, epoch: Math.floor(number), loss: loss * between(0.9, 1.1), accuracy: Math.min(1, (train_accuracy ?? 0) * between(0.95, 1.05)), learning_rate, images_per_second,
      loader_wait_share, elapsed_seconds: place / 6,
    };
  });
}

export function log(job: Job, level: string, message: string): void {
  logs.set(job.id, [...(logs.get(job.id) ?? []), { at: iso(Date.now()), attempt: Math.max(1, job.attempt), level, message }]);
}
