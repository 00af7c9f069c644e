// Times and durations as people read them. Nothing here reads a clock: the present is handed in.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const stamp = new Intl.DateTimeFormat("en-GB", {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
  timeZoneName: "short",
});
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** How long something took, in its two largest units: `6.5 ms`, `4.2 s`, `3 m 05 s`, `1 h 03 m`, `2 d 4 h`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "–";
  const span = Math.max(0, ms);
  if (span < 10) return `${span.toFixed(1)} ms`;
  if (span < SECOND) return `${Math.round(span)} ms`;
  if (span < 10 * SECOND) return `${(Math.floor(span / 100) / 10).toFixed(1)} s`;
  if (span < MINUTE) return `${Math.floor(span / SECOND)} s`;
  if (span < HOUR) return `${Math.floor(span / MINUTE)} m ${pad(Math.floor((span % MINUTE) / SECOND))} s`;
  if (span < DAY) return `${Math.floor(span / HOUR)} h ${pad(Math.floor((span % HOUR) / MINUTE))} m`;
  return `${Math.floor(span / DAY)} d ${Math.floor((span % DAY) / HOUR)} h`;
}

/** A moment seen from now: `just now`, `12 s ago`, `in 3 min`, `5 h ago`, and the day after a month. */
export function relative(at: string | number, now: number): string {
  const moment = new Date(at).getTime();
  const away = now - moment;
  const span = Math.abs(away);
  if (span < 2 * SECOND) return "just now";
  if (span >= 30 * DAY) return day.format(moment);
  const text = rounded(span);
  return away >= 0 ? `${text} ago` : `in ${text}`;
}

/** A moment in full, in the reader's own time zone. */
export function absolute(at: string | number): string {
  return stamp.format(new Date(at));
}

/** The time of day, `14:03:22`. */
export function timeOfDay(at: string | number): string {
  return clock.format(new Date(at));
}

/** Milliseconds between two moments; up to `now` while the second has not come. */
export function between(from: string, to: string | null, now: number): number {
  return (to === null ? now : new Date(to).getTime()) - new Date(from).getTime();
}

function rounded(span: number): string {
  if (span < MINUTE) return `${Math.floor(span / SECOND)} s`;
  if (span < HOUR) return `${Math.floor(span / MINUTE)} min`;
  if (span < DAY) return `${Math.floor(span / HOUR)} h`;
  return `${Math.floor(span / DAY)} d`;
}

function pad(value: number): string {
  return value.toString().padStart(2, "0");
}
