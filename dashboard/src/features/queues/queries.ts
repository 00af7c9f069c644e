// Reading queues and their history; pausing and resuming them.
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, take, takeAll } from "~/api/client";
import type { Queue, QueueName, QueueSample } from "~/api/types";
import { every } from "~/live/every";
import { followed } from "~/live/samples";

export const queueKeys = {
  all: ["queues"] as const,
  samples: (windowMs: number) => ["queue-samples", windowMs] as const,
};

export const queueList = queryOptions({
  queryKey: queueKeys.all,
  queryFn: async ({ signal }) => (await take(api.GET("/v1/queues", { signal }))).items,
  refetchInterval: every(5_000),
});

/** Samples of all queues over the last `windowMs`; each fetch asks only for what came since the one before. */
export function queueSamples(windowMs: number) {
  return queryOptions({
    queryKey: queueKeys.samples(windowMs),
    queryFn: ({ client, signal }) =>
      followed<QueueSample>(
        client.getQueryData(queueKeys.samples(windowMs)),
        windowMs,
        (since) => takeAll((cursor) => api.GET("/v1/queues/samples", { params: { query: { since, limit: 1000, cursor } }, signal })),
      ),
    refetchInterval: every(5_000),
    placeholderData: keepPreviousData,
    structuralSharing: false,
  });
}

/** Pauses or resumes a queue, shown at once and taken back when refused. */
export function usePause() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ name, paused }: { name: string; paused: boolean }) => {
      const params = { path: { name: name as QueueName } };
      return take(paused ? api.POST("/v1/queues/{name}/pause", { params }) : api.POST("/v1/queues/{name}/resume", { params }));
    },
    onMutate: async ({ name, paused }) => {
      await client.cancelQueries({ queryKey: queueKeys.all });
      const before = client.getQueryData<Queue[]>(queueKeys.all);
      client.setQueryData<Queue[]>(queueKeys.all, (queues) => queues?.map((queue) => (queue.name === name ? { ...queue, paused } : queue)));
      return { before };
    },
    onError: (_error, _change, context) => client.setQueryData(queueKeys.all, context?.before),
    onSettled: () => client.invalidateQueries({ queryKey: queueKeys.all }),
  });
}
