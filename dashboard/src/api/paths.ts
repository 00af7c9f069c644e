// The routes that the page calls, in the form that openapi-typescript writes. `npm run gen` makes the same
// from the API's own document.
import type {
  Confusion, Entry, EpochMetrics, IndexDetail, IndexSummary, Job, JobAction, JobCounts, JobItem, Key, LogLine, Me,
  Model, ModelVersion, NewKey, Page, Problem, Queue, QueueSample, RankBy, Scope, Source, SourceObject, System, Worker,
  WorkerSample,
} from "./types";

interface Headers {
  Prefer?: string;
  "Idempotency-Key"?: string;
}

interface Json<Body> {
  headers: Record<string, unknown>;
  content: { "application/json": Body };
}

interface Refused {
  headers: Record<string, unknown>;
  content: { "application/problem+json": Problem };
}

interface Parameters<Path, Query> {
  path: Path;
  query?: Query;
  header?: Headers;
}

type Operation<Result, Path = undefined, Query = Record<string, never>, Body = undefined> = {
  parameters: Path extends undefined ? { query?: Query; header?: Headers } : Parameters<Path, Query>;
  responses: { 200: Json<Result>; default: Refused };
} & (Body extends undefined ? { requestBody?: never } : { requestBody: { content: { "application/json": Body } } });

interface Dataset {
  source: string;
  prefix: string;
}

export interface TrainRequest {
  model: string;
  dataset: Dataset;
  validation?: Dataset | { fraction: number };
  backbone?: string;
  pretrained?: string;
  image_size?: number;
  epochs?: number;
  batch_size?: number;
  optimizer?: "sgd" | "adamw";
  learning_rate?: number;
  schedule?: "cosine" | "step" | "constant";
  freeze?: "none" | "backbone" | "norm";
  seed?: number;
  early_stopping?: { patience: number };
  min_images_per_class?: number;
}

export interface IndexRequest extends Dataset {
  index: string;
  model?: string;
  mode: "add" | "sync";
}

export interface EvaluateRequest extends Dataset {
  index: string;
}

export interface RebuildRequest {
  index: string;
  model: string;
}

/** The request bodies that make jobs, by kind. */
export interface Submissions {
  train: TrainRequest;
  index: IndexRequest;
  evaluate: EvaluateRequest;
  rebuild: RebuildRequest;
}

interface Paged {
  limit?: number;
  cursor?: string;
}

interface ById {
  id: string;
}

interface ByName {
  name: string;
}

export interface JobFilter {
  kind?: string;
  state?: string;
  queue?: string;
  label?: string;
  since?: string;
}

export interface BulkRequest {
  action: JobAction;
  ids?: string[];
  filter?: JobFilter;
}

export interface SearchRequest {
  index: string;
  k?: number;
  probes?: string;
  rank_by?: RankBy;
  min_similarity?: number;
  entry_id?: string;
}

export interface paths {
  "/v1/session": { post: Operation<undefined, undefined, Record<string, never>, { key: string }>; delete: Operation<undefined> };
  "/v1/me": { get: Operation<Me> };
  "/v1/system": { get: Operation<System> };
  "/v1/jobs": { get: Operation<Page<Job>, undefined, JobFilter & Paged> };
  "/v1/jobs/counts": { get: Operation<JobCounts> };
  "/v1/jobs/bulk": { post: Operation<{ affected: number }, undefined, Record<string, never>, BulkRequest> };
  "/v1/jobs/search": { post: Operation<Job, undefined, Record<string, never>, SearchRequest> };
  "/v1/jobs/train": { post: Operation<Job, undefined, Record<string, never>, TrainRequest> };
  "/v1/jobs/index": { post: Operation<Job, undefined, Record<string, never>, IndexRequest> };
  "/v1/jobs/evaluate": { post: Operation<Job, undefined, Record<string, never>, EvaluateRequest> };
  "/v1/jobs/rebuild": { post: Operation<Job, undefined, Record<string, never>, RebuildRequest> };
  "/v1/jobs/{id}": { get: Operation<Job, ById>; delete: Operation<undefined, ById> };
  "/v1/jobs/{id}/cancel": { post: Operation<Job, ById> };
  "/v1/jobs/{id}/retry": { post: Operation<Job, ById> };
  "/v1/jobs/{id}/logs": { get: Operation<Page<LogLine>, ById, Paged> };
  "/v1/jobs/{id}/items": { get: Operation<Page<JobItem>, ById, Paged & { status?: string }> };
  "/v1/jobs/{id}/metrics": { get: Operation<Page<EpochMetrics>, ById, Paged> };
  "/v1/queues": { get: Operation<Page<Queue>> };
  "/v1/queues/samples": { get: Operation<Page<QueueSample>, undefined, Paged & { since?: string }> };
  "/v1/queues/{name}/pause": { post: Operation<Queue, ByName> };
  "/v1/queues/{name}/resume": { post: Operation<Queue, ByName> };
  "/v1/workers": { get: Operation<Page<Worker>> };
  "/v1/workers/{id}/samples": { get: Operation<Page<WorkerSample>, ById, Paged & { since?: string }> };
  "/v1/models": { get: Operation<Page<Model>, undefined, Paged> };
  "/v1/models/{name}": { get: Operation<Page<ModelVersion>, ByName> };
  "/v1/models/{name}/default": { put: Operation<Model, ByName, Record<string, never>, { version: number }> };
  "/v1/models/{name}/{version}": {
    get: Operation<ModelVersion, { name: string; version: number }>;
    delete: Operation<undefined, { name: string; version: number }>;
  };
  "/v1/models/{name}/{version}/confusion": { get: Operation<Confusion, { name: string; version: number }> };
  "/v1/indexes": { get: Operation<Page<IndexSummary>, undefined, Paged> };
  "/v1/indexes/{name}": { get: Operation<IndexDetail, ByName>; delete: Operation<undefined, ByName> };
  "/v1/indexes/{name}/clear": { post: Operation<IndexDetail, ByName> };
  "/v1/indexes/{name}/rollback": { post: Operation<IndexDetail, ByName> };
  "/v1/indexes/{name}/entries": { get: Operation<Page<Entry>, ByName, Paged & { class?: string }> };
  "/v1/sources": { get: Operation<Page<Source>> };
  "/v1/sources/{name}/objects": { get: Operation<Page<SourceObject>, ByName, Paged & { prefix?: string }> };
  "/v1/keys": {
    get: Operation<Page<Key>, undefined, Paged>;
    post: Operation<NewKey, undefined, Record<string, never>, { name: string; scope: Scope }>;
  };
  "/v1/keys/{id}": { delete: Operation<undefined, ById> };
}
