// What evaluations say of an index's generations: which belong to one, and which two belong together. The API
// keeps them as jobs, newest first; a generation without one was not measured.
import type { EvaluateResult, Job } from "~/api/types";
import { placeOf, probesValue } from "~/features/evaluations/figures";
import { evaluateResult, number, record, text } from "~/features/jobs/read";
import { isFinal } from "~/features/jobs/states";
import { count } from "~/format/number";
import type { Pair } from "./pair";

/** What a generation was measured with. */
export interface Setup {
  source: string;
  prefix: string;
  k: number[];
  probes: string;
}

export interface Measurement {
  job: string;
  at: string;
  setup: Setup;
  result: EvaluateResult;
}

export interface Standing {
  /** Newest first. */
  measurements: Measurement[];
  /** The evaluation that has not ended yet. */
  running: Job | null;
  /** The newest evaluation, when it failed. */
  failed: Job | null;
}

interface Numbered {
  id: number;
  state: string;
}

/** What is known of one generation, from the evaluations of all. */
export function standingOf(jobs: Job[], index: string, generation: Numbered): Standing {
  const own = jobs.filter((job) => text(record(job.params).index) === index && measures(job, generation));
  const [newest] = own;
  return {
    measurements: own.flatMap((job) => {
      const result = evaluateResult(job);
      return result === null ? [] : [{ job: job.id, at: job.finished_at ?? job.created_at, setup: setupOf(job.params), result }];
    }),
    running: own.find(({ state }) => !isFinal(state)) ?? null,
    failed: newest?.state === "failed" ? newest : null,
  };
}

/** One that names no generation measures the one that is active when it runs; its result says which that was. */
function measures(job: Job, { id, state }: Numbered): boolean {
  const result = evaluateResult(job);
  if (result !== null) return result.generation === id;
  const asked = number(record(job.params).generation);
  return asked === null ? state === "active" && !isFinal(job.state) : asked === id;
}

function setupOf(params: unknown): Setup {
  const { source, prefix, k, probes } = record(params);
  return {
    source: text(source) ?? "", prefix: text(prefix) ?? "",
    k: Array.isArray(k) ? k.filter((each) => typeof each === "number") : [],
    probes: typeof probes === "number" ? probesValue(probes) : (text(probes) ?? "auto"),
  };
}

const deepest = ({ k }: Setup) => Math.max(0, ...k);

function isSame(a: Setup, b: Setup): boolean {
  return placeOf(a) === placeOf(b) && a.probes === b.probes && deepest(a) === deepest(b);
}

/** The newest two that were measured alike; without such, the newest of each. */
export function together(a: Measurement[], b: Measurement[]): Pair<Measurement | null> {
  for (const one of a) {
    const other = b.find(({ setup }) => isSame(setup, one.setup));
    if (other !== undefined) return { a: one, b: other };
  }
  return { a: a[0] ?? null, b: b[0] ?? null };
}

/** Why the figures of two measurements cannot be held against each other, in sentences; none when they can. */
export function mismatches(a: Measurement, b: Measurement): string[] {
  const [one, other] = [told(a), told(b)];
  const said: string[] = [];
  if (one.place !== other.place) said.push(`Generation ${one.id} was measured with ${one.place}, generation ${other.id} with ${other.place}.`);
  else if (one.queries !== other.queries) said.push(`The pictures of ${one.place} have changed: generation ${one.id} was measured with ${one.queries}, generation ${other.id} with ${other.queries}.`);
  if (one.k !== other.k) said.push(`mAP and routing recall are of the first ${one.k} hits for generation ${one.id}, of the first ${other.k} for generation ${other.id}.`);
  if (one.probes !== other.probes) said.push(`Searches probed ${probed(one.probes)} for generation ${one.id}, ${probed(other.probes)} for generation ${other.id}.`);
  return said;
}

function told({ setup, result }: Measurement) {
  return { id: result.generation ?? "?", place: placeOf(setup), probes: setup.probes, k: deepest(setup), queries: count(result.queries) };
}

function probed(probes: string): string {
  if (probes === "auto") return "partitions as they were needed";
  if (Number(probes) < 1) return `partitions until their probabilities sum to ${probes}`;
  return probes === "all" ? "all partitions" : `${probes} of the partitions`;
}
