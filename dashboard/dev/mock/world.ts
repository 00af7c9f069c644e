// The mock's present: queues, workers and running jobs, moved on twice a second. MOCK=empty starts a world
// where nothing was ever asked for.
import type { Job, JobState, Queue, QueueSample, Worker, WorkerSample } from "../../src/api/types.ts";
import { between, chance, id, pick, whole } from "./chance.ts";
import { EVALUATED, evaluated } from "./generations.ts";
import { become, epoch, fail, jobs, log, metrics, newJob, tell, WORKER } from "./jobs.ts";

export const QUEUES = ["train", "index", "search", "maintenance"];
export const empty = process.env.MOCK === "empty";
export const paused = new Set<string>();
export const queueSamples: QueueSample[] = [];
export const workerSamples = new Map<string, WorkerSample[]>();
type RunningJob = Worker["jobs"][number];
const GIB = 1_073_741_824;
const HISTORY_MS = 75 * 60_000;

const START = Date.now();

function worker(name: string, host: string, device: string, deviceName: string, memory: number, engine: string, queues: string[]): Worker {
  return {
    id: id(START - 9_000_000), name, host, state: "ready", device, device_name: deviceName, engine, engines: [], version: "0.1.0", queues, jobs: [], utilisation_percent: 0,
    memory_used_bytes: 0, memory_total_bytes: memory, started_at: new Date(START - 9_000_000).toISOString(), last_seen: new Date(START).toISOString(),
  };
}

export const workers: Worker[] = empty ? [] : [
  { ...worker("gpu-0", "rack-2", "cuda:0", "NVIDIA H100 80GB HBM3", 80 * GIB, "torch", QUEUES), id: WORKER },
  worker("gpu-1", "rack-2", "cuda:1", "NVIDIA H100 80GB HBM3", 80 * GIB, "torch", ["index", "search"]),
  worker("cpu-3", "edge-7", "cpu", "AMD EPYC 9354P, 32 cores", 64 * GIB, "openvino", ["search", "maintenance"]),
];

/** How busy device `place` was at a moment: slow waves with noise on them. */
function use(place: number, at: number): WorkerSample {
  const wave = Math.sin(at / (170_000 + place * 60_000) + place * 2);
  const busy = [78 + 16 * wave, 46 + 34 * wave, 22 + 14 * wave][place] ?? 0;
  const used = [0.58 + 0.12 * wave, 0.34 + 0.08 * wave, 0.2 + 0.02 * wave][place] ?? 0;
  const total = workers[place]?.memory_total_bytes ?? 0;
  return {
    at: new Date(at).toISOString(), utilisation_percent: Math.round(Math.max(0, Math.min(100, busy + between(-7, 7)))),
    memory_used_bytes: Math.round(total * used), memory_total_bytes: total,
  };
}

function sample(queue: string, at: number): QueueSample {
  const wave = Math.max(0, Math.sin(at / 260_000 + QUEUES.indexOf(queue)));
  const busy = { train: 2 + 2 * wave, index: 3 + 9 * wave, search: 1 + 14 * wave * between(0.6, 1), maintenance: wave }[queue] ?? 0;
  const done = queue === "search" ? whole(4, 9 + Math.round(9 * wave)) : chance() < 0.08 ? 1 : 0;
  return { at: new Date(at).toISOString(), queue, depth: empty ? 0 : Math.round(busy), running: empty ? 0 : whole(0, 2), succeeded: empty ? 0 : done, failed: !empty && chance() < 0.025 ? 1 : 0 };
}

export function begin(): void {
  for (let at = START - HISTORY_MS; at < START; at += 5_000) for (const queue of QUEUES) queueSamples.push(sample(queue, at));
  workers.forEach((each, place) => {
    const samples: WorkerSample[] = [];
    for (let at = START - HISTORY_MS; at < START; at += 2_000) samples.push(use(place, at));
    workerSamples.set(each.id, samples);
  });
  if (!empty) past();
  setInterval(step, 500);
  setInterval(() => QUEUES.forEach((queue) => queueSamples.push(sample(queue, Date.now()))), 5_000);
  setInterval(() => workers.forEach((each, place) => {
    const now = use(place, Date.now());
    workerSamples.get(each.id)?.push(now);
    Object.assign(each, { ...now, last_seen: now.at });
  }), 2_000);
}

function past(): void {
  for (const { params, hours, failed } of EVALUATED) {
    const job = newJob("evaluate", START - hours * 3_600_000, failed ? "failed" : "succeeded");
    Object.assign(job, { params, result: failed ? null : evaluated(params), ...(failed && { error: { code: "unknown_class", detail: "folder \"lemon\" is no class of model scenes@2" } }) });
  }
  for (let place = 0; place < 160; place += 1) {
    const kind = pick(["search", "search", "search", "search", "index", "index", "train", "evaluate", "validate", "rebuild"]);
    const state: JobState = pick(["succeeded", "succeeded", "succeeded", "succeeded", "succeeded", "succeeded", "succeeded", "failed", "cancelled"]);
    const job = newJob(kind, START - (160 - place) * 95_000 - 60_000, state);
    if (kind === "train") metrics.set(job.id, Array.from({ length: 30 }, (_, number) => epoch(number + 1)));
  }
  newJob("rebuild", START - 500_000, "scheduled");
  newJob("index", START - 80_000, "retrying");
  for (const kind of ["index", "train", "evaluate"]) newJob(kind, START - 50_000, "queued");
  const train = newJob("train", START - 40_000, "running");
  metrics.set(train.id, Array.from({ length: 17 }, (_, number) => epoch(number + 1)));
  train.progress = { phase: "training", done: 17 * 8_012, total: 30 * 8_012, unit: "pictures", failed: 0, rate: 1_204, eta_seconds: 86 };
  log(train, "info", "dataset photos/train/: 20 classes, 8012 pictures, 3 unreadable, 11 duplicates across the split");
  log(train, "warn", "3 pictures could not be read and are left out; see the failed pictures");
  log(train, "info", "starting from imagenet-mobilenet@1, backbone frozen, 20 outputs");
  for (let number = 1; number <= 17; number += 1) log(train, "info", `epoch ${number} of 30: validation accuracy ${epoch(number).validation_accuracy?.toFixed(4) ?? ""}`);
  const index = newJob("index", START - 30_000, "running");
  index.progress = { phase: "indexing", done: 61_400, total: 200_000, unit: "pictures", failed: 14, rate: 2_640, eta_seconds: 52 };
}

/** Half a second of life. */
function step(): void {
  if (empty) return;
  for (const job of jobs.filter(({ state }) => state === "running")) advance(job);
  for (const job of jobs.filter(({ state }) => state === "cancelling")) become(job, "cancelled");
  const running = jobs.filter(({ state }) => state === "running");
  const next = jobs.findLast((job) => job.state === "queued" && !job.paused && !paused.has(job.queue) && (job.kind === "search" || !running.some((other) => other.queue === job.queue)));
  if (next !== undefined) {
    next.progress = next.kind === "search" ? { ...next.progress, phase: "running" } : { phase: next.kind === "train" ? "training" : "indexing", done: 0, total: 120_000, unit: "pictures", failed: 0, rate: null, eta_seconds: null };
    if (next.kind === "train") metrics.set(next.id, []);
    become(next, "running", "started");
  }
  if (chance() < 0.35) tell(newJob("search", Date.now(), "queued"), "queued");
  if (chance() < 0.015) tell(newJob(pick(["index", "evaluate", "train"]), Date.now(), "queued"), "queued");
  workers.forEach((each, place) => (each.jobs = running.filter((_, number) => number % workers.length === place).map(({ id: job, kind }) => ({ id: job, kind: kind as RunningJob["kind"] }))));
}

function advance(job: Job): void {
  if (job.progress.unit === "") {
    if (chance() < 0.04) fail(job);
    else become(job, "succeeded");
    return;
  }
  const { progress } = job;
  const rate = job.kind === "train" ? 604 : 2_640;
  const total = progress.total ?? 0;
  const done = Math.min(total, progress.done + (rate / 2) * between(0.9, 1.1));
  job.progress = { ...progress, done: Math.round(done), rate, eta_seconds: (total - done) / rate };
  const epochs = metrics.get(job.id);
  if (epochs !== undefined && done / total > (epochs.length + 1) / 30) {
    epochs.push(epoch(epochs.length + 1));
    log(job, "info", `epoch ${epochs.length} of 30: validation accuracy ${epochs.at(-1)?.validation_accuracy?.toFixed(4) ?? ""}`);
    tell(job, "metrics");
  }
  if (done >= total) become(job, "succeeded");
  else tell(job, "progress");
}

export function queues(): Queue[] {
  return QUEUES.map((name) => {
    const within = jobs.filter((job) => job.queue === name);
    const inState = (state: JobState) => within.filter((job) => job.state === state);
    const waiting = inState("queued");
    const recent = queueSamples.filter((each) => each.queue === name).slice(-12);
    const sum = (key: "succeeded" | "failed") => recent.reduce((total, each) => total + each[key], 0);
    const oldest = waiting.at(-1);
    return {
      name, depth: waiting.length, running: inState("running").length, scheduled: inState("scheduled").length, retrying: inState("retrying").length,
      oldest_age_seconds: oldest === undefined ? null : (Date.now() - Date.parse(oldest.created_at)) / 1_000, paused: paused.has(name),
      finished_per_minute: sum("succeeded") + sum("failed"), failed_per_minute: sum("failed"), enqueued_per_minute: sum("succeeded"),
    };
  });
}
