// The wire shapes that the page reads, one name for each. Features import them from here only, so that a
// change of the contract shows in one file. Times are RFC 3339 UTC strings; ids are UUIDv7.

export type JobState =
  | "scheduled"
  | "queued"
  | "running"
  | "retrying"
  | "cancelling"
  | "succeeded"
  | "failed"
  | "cancelled";

export type JobAction = "cancel" | "retry" | "delete";

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface Progress {
  phase: string;
  done: number;
  total: number | null;
  unit: string;
  failed: number;
  rate: number | null;
  eta_seconds: number | null;
}

export interface JobError {
  code: string;
  detail: string;
}

export interface Job {
  id: string;
  kind: string;
  queue: string;
  state: JobState;
  state_reason: string | null;
  priority: number;
  params: unknown;
  labels: Record<string, string>;
  attempt: number;
  max_attempts: number;
  progress: Progress | null;
  result: unknown;
  error: JobError | null;
  worker: string | null;
  created_at: string;
  scheduled_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  next_attempt_at: string | null;
  created_by: string | null;
}

export interface JobCounts {
  by_state: Partial<Record<JobState, number>>;
  by_kind: Record<string, number>;
}

/** What `/v1/events` and a job's own stream carry in `data:`; `data` holds the rest of the change. */
export interface JobEvent {
  id: number;
  job_id: string;
  kind: string;
  queue: string;
  state: JobState;
  attempt: number;
  progress: Progress | null;
  error: JobError | null;
  data: unknown;
  at: string;
}

export interface EpochMetrics {
  epoch: number;
  loss: number;
  train_accuracy: number | null;
  validation_loss: number | null;
  validation_accuracy: number | null;
  learning_rate: number;
  images_per_second: number;
  seconds: number;
}

export interface LogLine {
  at: string;
  attempt: number;
  level: string;
  message: string;
}

/** One picture that a job touched, with why it was refused. */
export interface JobItem {
  uri: string;
  status: string;
  code: string | null;
  detail: string | null;
}

export interface Queue {
  name: string;
  depth: number;
  running: number;
  scheduled: number;
  retrying: number;
  oldest_age_seconds: number | null;
  paused: boolean;
  finished_per_minute: number;
  failed_per_minute: number;
  enqueued_per_minute: number;
}

/** `succeeded` and `failed` count what finished since the sample before. */
export interface QueueSample {
  at: string;
  queue: string;
  depth: number;
  running: number;
  succeeded: number;
  failed: number;
}

export type WorkerState = "ready" | "starting" | "draining" | "stopped" | "lost";

export interface Worker {
  id: string;
  name: string;
  host: string;
  state: WorkerState;
  device: string;
  device_name: string;
  engine: string;
  version: string;
  queues: string[];
  jobs: { id: string; kind: string }[];
  utilisation_percent: number | null;
  memory_used_bytes: number | null;
  memory_total_bytes: number | null;
  started_at: string;
  last_seen: string;
}

export interface WorkerSample {
  at: string;
  utilisation_percent: number | null;
  memory_used_bytes: number | null;
  memory_total_bytes: number | null;
}

export type Scope = "read" | "submit" | "manage" | "admin";

export interface Me {
  name: string;
  scope: Scope;
  scopes: Scope[];
  expires_at: string | null;
}

export type RankBy = "embedding" | "probabilities";

export interface SearchHit {
  rank: number;
  entry_id: string;
  uri: string;
  class: string;
  distance: number;
  similarity: number;
  thumbnail: string;
  metadata: Record<string, unknown>;
}

export interface SearchResult {
  query: { classes: { class: string; probability: number }[] };
  hits: SearchHit[];
  scanned: {
    partitions: number;
    of_partitions: number;
    entries: number;
    of_entries: number;
    engine: string;
    exact: boolean;
  };
  timings_ms: Record<string, number>;
}

/** P@k by ranking and k, e.g. `{embedding: {"1": 0.93}}`. */
export type PrecisionAt = Partial<Record<RankBy, Record<string, number>>>;

export interface TrainResult {
  model: string;
  epochs: number;
  best_epoch: number;
  validation_accuracy: number;
  train_accuracy: number;
  precision_at: PrecisionAt;
  images_per_second: number;
  device: string;
  seconds: number;
}

export interface IndexResult {
  index: string;
  generation: number;
  added: number;
  updated: number;
  unchanged: number;
  removed: number;
  failed: number;
  images_per_second: number;
  seconds: number;
}

export interface EvaluateResult {
  queries: number;
  accuracy: number;
  precision_at: PrecisionAt;
  map: Partial<Record<RankBy, number>>;
  per_class: { class: string; queries: number; precision_at: PrecisionAt }[];
  routing_recall: number;
  partitions_probed: number;
}

export interface ValidateResult {
  files: number;
  readable: number;
  unreadable: number;
  exact_duplicates: number;
  classes: { class: string; files: number; readable: number }[];
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string | null;
  code: string;
  request_id: string | null;
  errors?: { pointer: string; detail: string }[];
}

export interface ModelVersion {
  name: string;
  version: number;
  backbone: string;
  classes: string[];
  image_size: number;
  embedding_dim: number;
  origin: "imported" | "trained";
  is_default: boolean;
  validation_accuracy: number | null;
  precision_at: PrecisionAt | null;
  weights_bytes: number;
  job_id: string | null;
  card: Record<string, unknown>;
  created_at: string;
}

export interface Model {
  name: string;
  default_version: number;
  versions: number;
  latest: ModelVersion;
}

/** Rows are true classes, columns the classes that the model answered. */
export interface Confusion {
  classes: string[];
  matrix: number[][];
}

export interface IndexSummary {
  name: string;
  generation: number | null;
  model: string | null;
  entries: number;
  partitions_count: number;
  building: { generation: number; model: string; entries: number } | null;
  created_at: string;
}

export interface Generation {
  id: number;
  model: string;
  state: "building" | "active" | "retired";
  entries: number;
  created_at: string;
  activated_at: string | null;
}

export interface IndexDetail extends IndexSummary {
  generations: Generation[];
  partitions: { class: string; rows: number }[];
}

export interface Entry {
  entry_id: string;
  uri: string;
  class: string;
  thumbnail: string;
}

export interface Source {
  name: string;
  kind: string;
  url: string;
  writable: boolean;
}

export interface SourceObject {
  key: string;
  size_bytes: number | null;
  is_prefix: boolean;
  modified_at: string | null;
}

export interface Key {
  id: string;
  name: string;
  hint: string;
  scope: Scope;
  created_at: string;
  last_used_at: string | null;
  expires_at: string | null;
}

/** The answer to making a key: the only time its secret is told. */
export interface NewKey extends Key {
  key: string | null;
}

export interface Backbone {
  name: string;
  default_image_size: number;
  min_image_size: number;
  embedding_dim: number;
}

export interface System {
  version: string;
  backbones: Backbone[];
}
