// Where the time of an index job or a rebuild went, by what each stage of its pipeline says that it waited for.
// Stages work side by side, so the one that works most is the one that all others wait for.
import { number, record } from "./read";

export type StageName = "list" | "read" | "embed" | "commit";

/** What one stage did with the time of the pipeline, as shares of 1. */
export interface StageShares {
  name: StageName;
  worked: number;
  input: number;
  output: number;
  /** It had nothing left to do before the others were through. */
  through: number;
}

export interface StageTimes {
  /** How long the pipeline ran. */
  seconds: number;
  stages: StageShares[];
  /** How many files were fetched, and how many decoded, at a time while pictures were read. */
  fetched: number;
  decoded: number;
}

const NAMES: StageName[] = ["list", "read", "embed", "commit"];
/** Times are told to the millisecond: of less than this they say nothing. */
const LEAST_SECONDS = 0.1;
/** Shares that differ by less are about the same. */
const CLOSE = 0.1;
/** The reader has at least 16 files under way at a time; with most of them at the store, the store is what takes long. */
const MOST_FETCHED = 8;
const FEW_DECODED = 0.5;

/** The times of a job's result; null when it tells none, or was over at once. */
export function stageTimes(result: unknown): StageTimes | null {
  const told = record(record(result).stages);
  const waits = NAMES.map((name) => {
    const stage = record(told[name]);
    return { name, input: number(stage.waits_for_input) ?? 0, output: number(stage.waits_for_output) ?? 0 };
  });
  // The pipeline's own time is not told. Some stage waits nearly all of it, so the longest wait stands for it.
  const seconds = Math.max(...waits.map(({ input, output }) => input + output));
  if (seconds < LEAST_SECONDS) return null;
  const [fetching, decoding] = [number(record(told.read).fetching) ?? 0, number(record(told.read).decoding) ?? 0];
  const stages = waits.map(({ name, input, output }) => {
    const rest = Math.max(0, seconds - input - output);
    // What the listing waits for is the source itself. Reading takes no longer than all its files one after the other.
    if (name === "list") return shares(name, seconds, input, 0, output);
    return shares(name, seconds, name === "read" ? Math.min(rest, fetching + decoding) : rest, input, output);
  });
  const reading = seconds * (stages.find(({ name }) => name === "read")?.worked ?? 0);
  const atATime = (spent: number) => (reading > 0 ? spent / reading : 0);
  return { seconds, stages, fetched: atATime(fetching), decoded: atATime(decoding) };
}

function shares(name: StageName, seconds: number, worked: number, input: number, output: number): StageShares {
  const through = Math.max(0, seconds - worked - input - output);
  return { name, worked: worked / seconds, input: input / seconds, output: output / seconds, through: through / seconds };
}

/** Which stage decided how long it took, in one sentence. */
export function bound(times: StageTimes): string {
  const [first, second] = [...times.stages].sort((a, b) => b.worked - a.worked);
  if (first === undefined || first.worked < 0.5) return "No stage worked for even half of the time: they took turns.";
  const subject = capitalised(work(first.name, times));
  if (second === undefined || first.worked - second.worked >= CLOSE) return `${subject} is what took long.`;
  return `${subject} and ${work(second.name, times)} took about equally long.`;
}

function work(name: StageName, { fetched, decoded }: StageTimes): string {
  switch (name) {
    case "list":
      return "listing the pictures and comparing them with the index";
    case "read":
      return fetched > MOST_FETCHED || decoded < FEW_DECODED ? "fetching the pictures" : "decoding the pictures";
    case "embed":
      return "the network";
    case "commit":
      return "storing the entries";
  }
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
