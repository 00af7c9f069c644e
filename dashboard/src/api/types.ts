// Names for the wire shapes that the page reads, all of them from the generated `schema.ts`. Features import
// them from here only. What jobs take and give is free-form JSON in the contract; the results that the page
// shows are written out below. Times are RFC 3339 UTC strings; ids are UUIDv7.
import type { components } from "./schema";

type Schemas = components["schemas"];

/** An answer as it arrives: every field is there, null where there is nothing to say. */
export type Whole<T> = T extends (infer Each)[]
  ? Whole<Each>[]
  : T extends object
    ? { [Field in keyof T]-?: Whole<Exclude<T[Field], undefined>> }
    : T;

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

export type JobState = Schemas["JobState"];
export type JobAction = Schemas["Action"];
export type JobError = Schemas["JobFailure"];
export type Progress = Whole<Schemas["Progress"]>;

/** Kinds and queues are open: a newer server may know more of them. */
export interface Job extends Omit<Whole<Schemas["Job"]>, "kind" | "queue" | "params" | "result"> {
  kind: string;
  queue: string;
  params: unknown;
  result: unknown;
}

export type JobCounts = Schemas["JobCounts"];
export type JobItem = Schemas["JobItem"];
export type Partition = Schemas["Partition"];
export type ItemSummary = Schemas["ItemSummary"];
export type LogLine = Schemas["LogLine"];

/** A change of one job, as `/v1/events` and a job's own stream carry it; `data` holds the rest of the change. */
export interface JobEvent extends Omit<Whole<Schemas["JobEvent"]>, "job_id" | "kind" | "queue" | "state" | "attempt"> {
  job_id: string;
  kind: string;
  queue: string;
  state: JobState;
  attempt: number;
}

export type QueueName = Schemas["Queue"];
export type Queue = Whole<Schemas["QueueStatus"]>;
export type QueueSample = Schemas["QueueSample"];
export type Worker = Whole<Schemas["Worker"]>;
export type WorkerSample = Schemas["WorkerSample"];

export type Scope = Schemas["Scope"];
export type Me = Whole<Schemas["Me"]>;
export type Key = Whole<Schemas["Key"]>;
export type Problem = Schemas["Problem"];

export type Model = Whole<Schemas["Model"]>;
export type ModelVersion = Whole<Schemas["ModelVersion"]>;
export type Confusion = Schemas["Confusion"];
export type Comparison = Whole<Schemas["Comparison"]>;
export type TrainingPerformance = Whole<Schemas["TrainingPerformance"]>;
export type TrainingRun = Whole<Schemas["TrainingRun"]>;
export type IndexSummary = Whole<Schemas["IndexSummary"]>;
export type IndexDetail = Whole<Schemas["IndexDetail"]>;
export type GenerationState = Schemas["GenerationState"];
export type Generation = Whole<Schemas["Generation"]>;
export type StoredGeneration = Whole<Schemas["StoredGeneration"]>;
export type Schedule = Whole<Schemas["IndexSchedule"]>;
export type NewSchedule = Schemas["NewSchedule"];
export type Timing = Schemas["TimingPreview"];
export type Entry = Whole<Schemas["Entry"]>;
export type Source = Schemas["Source"];
export type SourceObject = Whole<Schemas["SourceObject"]>;
export type SourceTest = Whole<Schemas["SourceTest"]>;

export type RankBy = Schemas["RankBy"];
/** A part of a picture, in shares of its width and height. */
export type Crop = Schemas["Crop"];
export type BulkRequest = Schemas["BulkRequest"];
export type BulkFilter = Schemas["BulkFilter"];
export type TrainRequest = Schemas["TrainSubmission"];
export type ValidateRequest = Schemas["ValidateSubmission"];

/** The request bodies that make jobs, by kind. */
export interface Submissions {
  train: TrainRequest;
  index: Schemas["IndexSubmission"];
  evaluate: Schemas["EvaluateSubmission"];
  rebuild: Schemas["RebuildSubmission"];
}

/** One row of a training job's metrics. What an older run, or a device, did not measure is not there. */
export interface EpochMetrics {
  epoch: number;
  loss: number;
  train_accuracy: number | null;
  validation_loss: number | null;
  validation_accuracy: number | null;
  learning_rate: number;
  images_per_second: number;
  seconds: number;
  elapsed_seconds?: number | null;
  /** Share of the time that the device waited for pictures. */
  loader_wait_share?: number | null;
  utilisation_percent?: number | null;
  memory_used_bytes?: number | null;
  precision_at_10?: number | null;
  map?: number | null;
  eta_seconds?: number | null;
}

/** One step of a training job. */
export interface StepMetrics {
  step: number;
  epoch?: number | null;
  loss?: number | null;
  accuracy?: number | null;
  learning_rate?: number | null;
  images_per_second?: number | null;
  loader_wait_share?: number | null;
  elapsed_seconds?: number | null;
}

/** P@k by ranking and k, e.g. `{embedding: {"1": 0.93}}`. */
export type PrecisionAt = Partial<Record<RankBy, Record<string, number>>>;

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
  /** What each stage of the pipeline waited for; older jobs do not tell. */
  stages?: unknown;
}

/** What an index job would do, when that was all that was asked; `examples` names some pictures of each kind. */
export interface DryRunResult {
  dry_run: true;
  index: string;
  generation: number;
  added: number;
  updated: number;
  unchanged: number;
  removed: number;
  failed: number;
  examples: { added: string[]; updated: string[]; removed: string[] };
  seconds: number;
}

/** What an evaluation measured; older ones tell less. */
export interface EvaluateResult {
  queries: number;
  /** Pictures that could not be read. */
  failed?: number;
  model?: string;
  index?: string;
  /** The generation that was measured. */
  generation?: number;
  source?: string;
  prefix?: string;
  probes?: string | number;
  accuracy: number;
  precision_at: PrecisionAt;
  /** The share of all right entries that are among the first k, told like precision. */
  recall_at?: PrecisionAt;
  /** By embedding. */
  map: number;
  map_by?: Partial<Record<RankBy, number>>;
  per_class: MeasuredClass[];
  routing_recall: number;
  partitions_probed: number;
  /** What was asked for first, then what it was compared with. */
  settings?: MeasuredSetting[];
  /** The worst of all first. */
  worst?: WorstQuery[];
}

export interface MeasuredClass {
  class: string;
  queries: number;
  accuracy?: number;
  precision_at: PrecisionAt;
  recall_at?: PrecisionAt;
  map?: number;
  map_by?: Partial<Record<RankBy, number>>;
}

/** What searches with one value of `probes` found. */
export interface MeasuredSetting {
  probes: string | number;
  partitions_probed: number;
  entries_scanned: number;
  /** The share of an exhaustive search's hits that were found too. */
  routing_recall: Partial<Record<RankBy, number>>;
  precision_at: PrecisionAt;
  recall_at: PrecisionAt;
  map_by: Partial<Record<RankBy, number>>;
}

/** A query that was answered badly, with its first hits. */
export interface WorstQuery {
  uri: string;
  class: string;
  predicted: string;
  average_precision: number;
  /** Null when the picture could not be read again. */
  thumbnail: string | null;
  hits: { entry_id: string; uri: string; class: string; right: boolean; thumbnail: string }[];
}

/** An evaluation that is kept with its generation; its id is its job's. */
export interface Evaluation extends Omit<Whole<Schemas["Evaluation"]>, "result"> {
  result: EvaluateResult;
}

/** Counts and lists of files with a reason to look at them, as the report of labelled pictures gives them. */
export interface ValidateResult {
  files: number;
  readable: number;
  unreadable: number;
  exact_duplicates: number | unknown[];
  classes: { class: string; files: number; readable: number }[];
  /** What keeps a training from starting. */
  problems?: unknown[];
  /** What a training would do badly with. */
  warnings?: unknown[];
  suggested_image_size?: number | null;
  /** How large the pictures are. */
  sizes?: unknown;
}
