// The pictures that a job could not use: reading them, keeping them as a file, trying them again.
import { infiniteQueryOptions, keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, take } from "~/api/client";
import { jobKeys } from "./queries";

/** How many pictures of a job failed, and why. */
export function failedCounts(id: string) {
  return queryOptions({
    queryKey: [...jobKeys.items(id), "counts"],
    queryFn: ({ signal }) => take(api.GET("/v1/jobs/{id}/items/summary", { params: { path: { id } }, signal })),
  });
}

/** A job's failed pictures, of some reasons or of all. */
export function failedItems(id: string, codes: string[]) {
  return infiniteQueryOptions({
    queryKey: [...jobKeys.items(id), codes],
    queryFn: ({ pageParam, signal }) =>
      take(api.GET("/v1/jobs/{id}/items", {
        params: { path: { id }, query: { status: "failed", ...only(codes), limit: 100, cursor: pageParam } }, signal,
      })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });
}

function only(codes: string[]): { code?: string } {
  return codes.length === 0 ? {} : { code: codes.join(",") };
}

/** Where the job's failed pictures are, of some reasons or of all. */
export function failedItemsPath(id: string, codes: string[]): string {
  const query = new URLSearchParams({ status: "failed", ...only(codes) }).toString();
  return `/v1/jobs/${encodeURIComponent(id)}/items?${query}`;
}

/** Asks for the failed pictures, of some reasons or of all, to be indexed again. */
export function useRetryItems(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ codes, key }: { codes: string[]; key: string }) =>
      take(api.POST("/v1/jobs/{id}/items/retry", { params: { path: { id } }, headers: { "Idempotency-Key": key }, body: { codes } })),
    onSuccess: () => client.invalidateQueries({ queryKey: jobKeys.all }),
  });
}
