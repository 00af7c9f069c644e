// Carries job events into what is on screen: the fields an event holds are written into cached jobs at
// once; what it does not hold is fetched again, at most once a second whatever the rate of events.
import type { Query, QueryClient, QueryKey } from "@tanstack/react-query";
import type { Job, JobEvent } from "~/api/types";
import type { EventType } from "~/live/stream";
import { leaving } from "./actions";
import { jobKeys, type JobPages } from "./queries";
import { record, text } from "./read";
import { isFinal } from "./states";

const FLUSH_MS = 1_000;
/** A list of more pages than this is not fetched again by itself: that would be as many requests a second. */
export const MOST_LIVE_PAGES = 3;

/** The job as it is after `event`. Events come in order, and never change what they do not hold. */
export function advanced(job: Job, type: EventType, event: JobEvent): Job {
  if (job.id !== event.job_id) return job;
  const more = record(event.data);
  const changed = type !== "progress" && !isMeasured(type);
  return {
    ...job,
    state: event.state,
    state_reason: changed ? text(more.state_reason) : job.state_reason,
    next_attempt_at: changed ? text(more.next_attempt_at) : job.next_attempt_at,
    paused: paused(job.paused, type),
    attempt: event.attempt,
    progress: event.progress ?? job.progress,
    error: event.error ?? (isFinal(event.state) ? job.error : null),
    started_at: type === "started" ? (job.started_at ?? event.at) : job.started_at,
    finished_at: isFinal(event.state) ? (job.finished_at ?? event.at) : null,
  };
}

function isMeasured(type: EventType): boolean {
  return type === "metrics" || type === "steps";
}

/** Every change of a state but into a pause ends one. */
function paused(before: boolean, type: EventType): boolean {
  if (type === "pausing" || type === "paused") return true;
  return type === "progress" || isMeasured(type) ? before : false;
}

/** Writes events into the cache of `client` and collects what has to be fetched again. */
export function liveJobs(client: QueryClient) {
  const stale = new Map<string, QueryKey>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  function refetch(...keys: QueryKey[]): void {
    for (const key of keys) stale.set(JSON.stringify(key), key);
    timer ??= setTimeout(() => {
      timer = undefined;
      const due = [...stale.values()];
      stale.clear();
      const isLeft = leaving(client);
      const predicate = (query: Query) => isAffordable(query) && !isLeft(query);
      for (const queryKey of due) void client.invalidateQueries({ queryKey, predicate }, { cancelRefetch: false });
    }, FLUSH_MS);
  }

  function receive(type: EventType, event: JobEvent | null): void {
    if (type === "resync" || event === null) {
      refetch(jobKeys.all, ["queues"]);
    } else if (isMeasured(type)) {
      refetch(type === "steps" ? jobKeys.steps(event.job_id) : jobKeys.metrics(event.job_id));
    } else {
      patch(client, type, event);
      if (type !== "progress") {
        refetch(jobKeys.lists, jobKeys.counts, ["queues"], jobKeys.one(event.job_id), jobKeys.logs(event.job_id));
        refetch(...made(type, event.kind));
        // A schedule tells of the job that it enqueued.
        if (event.kind === "index") refetch(["schedules"]);
        if (event.kind === "evaluate") refetch(jobKeys.evaluations);
      }
    }
  }

  return { receive, refetch };
}

function isAffordable({ state: { data } }: Query): boolean {
  const pages = typeof data === "object" && data !== null && "pages" in data ? data.pages : [];
  return !Array.isArray(pages) || pages.length <= MOST_LIVE_PAGES;
}

/** What a job that succeeded has changed beside itself. */
function made(type: EventType, kind: string): QueryKey[] {
  if (type !== "succeeded") return [];
  if (kind === "train") return [["models"], ["training-performance"]];
  if (kind === "evaluate") return [["indexes", "evaluations"]];
  return kind === "index" || kind === "rebuild" ? [["indexes"]] : [];
}

function patch(client: QueryClient, type: EventType, event: JobEvent): void {
  client.setQueryData<Job>(jobKeys.one(event.job_id), (job) => job && advanced(job, type, event));
  client.setQueriesData<JobPages>({ queryKey: jobKeys.lists }, (list) => {
    if (!list?.pages.some((page) => page.items.some((job) => job.id === event.job_id))) return list;
    const pages = list.pages.map((page) => ({ ...page, items: page.items.map((job) => advanced(job, type, event)) }));
    return { ...list, pages };
  });
}
