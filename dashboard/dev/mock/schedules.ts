// The schedules of an index, as the mock knows them.
import type { Schedule } from "../../src/api/types.ts";
import { jobs } from "./jobs.ts";

const at = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();

export function schedules(index: string): Schedule[] {
  const job = jobs.find(({ kind }) => kind === "index");
  const shared = {
    index, source: "photos", mode: "sync" as const, running: null, last_at: at(-12), created_by: "admin", created_at: at(-90_000), updated_at: at(-90_000),
  };
  return [
    {
      ...shared, name: "follow", prefix: "gallery/", every_seconds: 900, cron: null, timezone: null, jitter_seconds: 30, paused: false,
      next_at: at(3), next: [3, 18, 33, 48, 63].map(at), skipped: 2, last_skipped_at: at(-200),
      last_job: job === undefined ? null : { id: job.id, state: job.state, created_at: job.created_at, finished_at: job.finished_at, error: job.error },
    },
    {
      ...shared, name: "nightly", prefix: "", every_seconds: null, cron: "0 3 * * *", timezone: "Europe/Vienna", jitter_seconds: 0, paused: true,
      next_at: null, next: [], skipped: 0, last_skipped_at: null, last_job: null,
    },
  ];
}
