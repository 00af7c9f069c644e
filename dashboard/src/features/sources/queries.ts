// Reading what pictures can be read from.
import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, take } from "~/api/client";
import type { ValidateRequest } from "~/api/types";

export const sourceList = queryOptions({
  queryKey: ["sources"],
  queryFn: async ({ signal }) => (await take(api.GET("/v1/sources", { signal }))).items,
});

/** The folders and objects right under `prefix`. */
export function sourceObjects(name: string, prefix: string) {
  return infiniteQueryOptions({
    queryKey: ["sources", name, prefix],
    queryFn: ({ pageParam, signal }) =>
      take(api.GET("/v1/sources/{name}/objects", {
        params: { path: { name }, query: { prefix, limit: 200, cursor: pageParam } }, signal,
      })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    staleTime: 10_000,
  });
}

/** Lists the first objects of a source and reads the beginning of one. */
export function useTestSource(name: string) {
  return useMutation({
    mutationFn: () => take(api.POST("/v1/sources/{name}/test", { params: { path: { name } } })),
  });
}

/** Asks for a report on labelled pictures: one folder per class under the prefix. */
export function useValidate() {
  return useMutation({
    mutationFn: ({ source, body }: { source: string; body: ValidateRequest }) =>
      take(api.POST("/v1/sources/{name}/validate", { params: { path: { name: source } }, body })),
  });
}

/** Deletes a set of uploads with its files. */
export function useDeleteSet() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (set: string) => take(api.DELETE("/v1/uploads/{set}", { params: { path: { set } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: sourceList.queryKey }),
  });
}
