// Reading what pictures can be read from.
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, take } from "~/api/client";

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
