// Carries job events into what is on screen: the fields an event holds are written into cached jobs at
// once; what it does not hold is fetched again, at most once a second whatever the rate of events.
import type { QueryClient, QueryKey } from "@tanstack/react-query";
import type { Job, JobEvent } from "~/api/types";
import type { EventType } from "~/live/stream";
import { jobKeys, type JobPages } from "./queries";
import { isFinal } from "./states";

const FLUSH_MS = 1_000;

/** The job as it is after `event`. Events come in order, and never change what they do not hold. */
export function advanced(job: Job, type: EventType, event: JobEvent): Job {
  if (job.id !== event.job_id) return job;
  return {
    ...job,
    state: event.state,
    attempt: event.attempt,
    progress: event.progress ?? job.progress,
    error: event.error ?? (isFinal(event.state) ? job.error : null),
    started_at: type === "started" ? event.at : job.started_at,
    finished_at: isFinal(event.state) ? (job.finished_at ?? event.at) : null,
  };
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
      for (const queryKey of due) void client.invalidateQueries({ queryKey }, { cancelRefetch: false });
    }, FLUSH_MS);
  }

  function receive(type: EventType, event: JobEvent | null): void {
    if (type === "resync" || event === null) {
      refetch(jobKeys.all, ["queues"]);
    } else if (type === "metrics") {
      refetch(jobKeys.metrics(event.job_id));
    } else {
      patch(client, type, event);
      if (type !== "progress") {
        refetch(jobKeys.lists, jobKeys.counts, ["queues"], jobKeys.one(event.job_id), jobKeys.logs(event.job_id));
      }
    }
  }

  return { receive, refetch };
}

function patch(client: QueryClient, type: EventType, event: JobEvent): void {
  client.setQueryData<Job>(jobKeys.one(event.job_id), (job) => job && advanced(job, type, event));
  client.setQueriesData<JobPages>({ queryKey: jobKeys.lists }, (list) => {
    if (!list?.pages.some((page) => page.items.some((job) => job.id === event.job_id))) return list;
    const pages = list.pages.map((page) => ({ ...page, items: page.items.map((job) => advanced(job, type, event)) }));
    return { ...list, pages };
  });
}
