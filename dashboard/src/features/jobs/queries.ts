// Reading and submitting jobs.
import {
  type InfiniteData, infiniteQueryOptions, keepPreviousData, queryOptions, useMutation, useQueryClient,
} from "@tanstack/react-query";
import { api, take, takeAll } from "~/api/client";
import type { Job, Page, Submissions } from "~/api/types";
import { type JobSearch, wire } from "./filter";
import { isFinal } from "./states";

export const jobKeys = {
  all: ["jobs"] as const,
  lists: ["jobs", "list"] as const,
  list: (filter: JobSearch) => ["jobs", "list", filter] as const,
  counts: ["jobs", "counts"] as const,
  evaluations: ["jobs", "evaluations"] as const,
  one: (id: string) => ["jobs", "one", id] as const,
  logs: (id: string) => ["jobs", "logs", id] as const,
  items: (id: string) => ["jobs", "items", id] as const,
  metrics: (id: string) => ["jobs", "metrics", id] as const,
  steps: (id: string) => ["jobs", "steps", id] as const,
  actions: ["jobs", "action"] as const,
  action: (id: string) => ["jobs", "action", id] as const,
};

/** A kind of job and its request. */
export type Submission = { [Kind in keyof Submissions]: { kind: Kind; body: Submissions[Kind] } }[keyof Submissions];

export type JobPages = InfiniteData<Page<Job>, string | undefined>;

export function jobList(filter: JobSearch, limit = 50) {
  return infiniteQueryOptions({
    queryKey: [...jobKeys.list(filter), limit],
    queryFn: ({ pageParam, signal }) =>
      take(api.GET("/v1/jobs", { params: { query: { ...wire(filter, Date.now()), limit, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });
}

/** The newest evaluations of all indexes, with what they measured. */
export const evaluations = queryOptions({
  queryKey: jobKeys.evaluations,
  queryFn: ({ signal }) => takeAll((cursor) => api.GET("/v1/jobs", { params: { query: { kind: "evaluate", limit: 100, cursor } }, signal }), 3),
});

export const jobCounts = queryOptions({
  queryKey: jobKeys.counts,
  queryFn: ({ signal }) => take(api.GET("/v1/jobs/counts", { signal })),
});

export function jobById(id: string) {
  return queryOptions({
    queryKey: jobKeys.one(id),
    queryFn: ({ signal }) => take(api.GET("/v1/jobs/{id}", { params: { path: { id } }, signal })),
  });
}

export function jobLogs(id: string) {
  return queryOptions({
    queryKey: jobKeys.logs(id),
    queryFn: ({ signal }) =>
      takeAll((cursor) => api.GET("/v1/jobs/{id}/logs", { params: { path: { id }, query: { limit: 1000, cursor } }, signal })),
  });
}

/** Asks again until the job ends, each request waiting for it on the server. */
export function jobToItsEnd(id: string) {
  return queryOptions({
    queryKey: [...jobKeys.one(id), "end"],
    queryFn: ({ signal }) =>
      take(api.GET("/v1/jobs/{id}", { params: { path: { id }, header: { Prefer: "wait=30" } }, signal })),
    refetchInterval: (query) => (query.state.data !== undefined && isFinal(query.state.data.state) ? false : 500),
    staleTime: Infinity,
  });
}

/** Asks for jobs, one after the other until one is refused. The key makes a second click the same request. */
export function useSubmit() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ submissions, key }: { submissions: Submission[]; key: string }) => {
      const jobs: Job[] = [];
      for (const [place, submission] of submissions.entries()) jobs.push(await submitted(submission, `${key}-${place}`));
      return jobs;
    },
    onSettled: () => client.invalidateQueries({ queryKey: jobKeys.all }),
  });
}

function submitted(submission: Submission, key: string): Promise<Job> {
  const headers = { "Idempotency-Key": key };
  switch (submission.kind) {
    case "train":
      return take(api.POST("/v1/jobs/train", { headers, body: submission.body }));
    case "index":
      return take(api.POST("/v1/jobs/index", { headers, body: submission.body }));
    case "evaluate":
      return take(api.POST("/v1/jobs/evaluate", { headers, body: submission.body }));
    case "rebuild":
      return take(api.POST("/v1/jobs/rebuild", { headers, body: submission.body }));
  }
}
