// A schedule in words, and what a form holds as a request.
import type { NewSchedule, Schedule, Timing } from "~/api/types";
import { count, counted } from "~/format/number";

const UNITS = [
  { seconds: 86_400, one: "day" },
  { seconds: 3_600, one: "hour" },
  { seconds: 60, one: "minute" },
  { seconds: 1, one: "second" },
] as const;

export const LENGTHS = ["minutes", "hours", "days"] as const;
export type Length = (typeof LENGTHS)[number];
const SECONDS: Record<Length, number> = { minutes: 60, hours: 3_600, days: 86_400 };

/** `every 15 minutes`, `every day`, `at 0 3 * * * (Europe/Vienna)`. */
export function rhythm({ every_seconds: every, cron, timezone }: Pick<Schedule, "every_seconds" | "cron" | "timezone">): string {
  if (every === null) return `at ${cron ?? ""} (${timezone ?? "UTC"})`;
  const unit = UNITS.find(({ seconds }) => every >= seconds && every % seconds === 0) ?? UNITS[3];
  const number = every / unit.seconds;
  return number === 1 ? `every ${unit.one}` : `every ${counted(number, unit.one)}`;
}

/** What a schedule follows: `photos/gallery/`. */
export function place({ source, prefix }: { source: string; prefix: string }): string {
  return `${source}/${prefix}`;
}

/** Why a schedule did not start at each of its due times; nothing when it did. */
export function missed(skipped: number): string | null {
  if (skipped === 0) return null;
  return skipped === 1
    ? "1 due time was skipped: the job before had not ended"
    : `${count(skipped)} due times were skipped: the job before had not ended`;
}

/** What the form of a new schedule holds. */
export interface Draft {
  name: string;
  source: string;
  prefix: string;
  mode: "sync" | "add";
  by: "every" | "cron";
  amount: number | string;
  length: Length;
  cron: string;
  timezone: string;
  jitter: number | string;
}

/** When the draft would be due; null while that is not filled in. */
export function timing(draft: Draft): Timing | null {
  const jitter = { jitter_seconds: Number(draft.jitter) || 0 };
  if (draft.by === "cron") {
    return draft.cron.trim() === "" ? null : { cron: draft.cron.trim(), timezone: draft.timezone, ...jitter };
  }
  const amount = Number(draft.amount);
  return amount > 0 ? { every_seconds: Math.round(amount * SECONDS[draft.length]), ...jitter } : null;
}

/** The draft as a request; null while something is missing. */
export function request(index: string, draft: Draft): NewSchedule | null {
  const when = timing(draft);
  const name = draft.name.trim();
  if (when === null || name === "" || draft.source === "") return null;
  const folder = draft.prefix.trim();
  const prefix = folder === "" || folder.endsWith("/") ? folder : `${folder}/`;
  return { name, index, source: draft.source, prefix, mode: draft.mode, ...when };
}
