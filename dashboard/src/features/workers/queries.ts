// Reading workers and what their devices did.
import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, take, takeAll } from "~/api/client";
import type { WorkerSample } from "~/api/types";
import { every } from "~/live/every";
import { followed } from "~/live/samples";

export const workerList = queryOptions({
  queryKey: ["workers"],
  queryFn: async ({ signal }) => (await take(api.GET("/v1/workers", { signal }))).items,
  refetchInterval: every(2_000),
});

/** The name of a worker; the start of its id when it is no longer listed. */
export function useWorkerName(id: string | null): string | null {
  const { data } = useQuery({ ...workerList, refetchInterval: false, staleTime: 60_000, enabled: id !== null });
  return id === null ? null : (data?.find((worker) => worker.id === id)?.name ?? id.slice(0, 8));
}

/** Samples of one worker's device over the last `windowMs`; each fetch asks only for what is new. */
export function workerSamples(id: string, windowMs: number) {
  const queryKey = ["worker-samples", id, windowMs] as const;
  return queryOptions({
    queryKey,
    queryFn: ({ client, signal }) =>
      followed<WorkerSample>(
        client.getQueryData(queryKey),
        windowMs,
        (since) => takeAll((cursor) => api.GET("/v1/workers/{id}/samples", { params: { path: { id }, query: { since, limit: 1000, cursor } }, signal })),
      ),
    refetchInterval: every(4_000),
    structuralSharing: false,
  });
}
