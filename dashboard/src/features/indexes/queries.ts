// Reading indexes, their generations and entries; changing, clearing, rolling back and deleting them.
import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, take, takeAll } from "~/api/client";
import { every } from "~/live/every";

const ALL = ["indexes"] as const;

export const indexList = queryOptions({
  queryKey: [...ALL, "list"],
  queryFn: ({ signal }) => takeAll((cursor) => api.GET("/v1/indexes", { params: { query: { limit: 200, cursor } }, signal })),
  staleTime: 5_000,
});

export function indexByName(name: string) {
  return queryOptions({
    queryKey: [...ALL, "one", name],
    queryFn: ({ signal }) => take(api.GET("/v1/indexes/{name}", { params: { path: { name } }, signal })),
    refetchInterval: every(10_000),
  });
}

export function indexEntries(name: string, className: string | undefined) {
  return infiniteQueryOptions({
    queryKey: [...ALL, "entries", name, className ?? null],
    queryFn: ({ pageParam, signal }) =>
      take(api.GET("/v1/indexes/{name}/entries", {
        params: { path: { name }, query: { class: className, limit: 48, cursor: pageParam } }, signal,
      })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
}

export function indexGenerations(name: string) {
  return queryOptions({
    queryKey: [...ALL, "generations", name],
    queryFn: ({ signal }) =>
      takeAll((cursor) => api.GET("/v1/indexes/{name}/generations", { params: { path: { name }, query: { cursor } }, signal })),
    refetchInterval: every(10_000),
  });
}

export type GenerationAction = "activate" | "drop";

export function useGenerationAction(name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ action, id }: { action: GenerationAction; id: number }) => {
      if (action === "activate") await take(api.POST("/v1/indexes/{name}/activate", { params: { path: { name } }, body: { generation: id } }));
      else await take(api.DELETE("/v1/indexes/{name}/generations/{id}", { params: { path: { name, id } } }));
    },
    onSettled: () => client.invalidateQueries({ queryKey: ALL }),
  });
}

/** Sets how many retired generations a swap leaves. */
export function useKeepGenerations(name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (count: number) =>
      take(api.PATCH("/v1/indexes/{name}", { params: { path: { name } }, body: { keep_generations: count } })),
    onSettled: () => client.invalidateQueries({ queryKey: indexByName(name).queryKey }),
  });
}

export type IndexAction = "clear" | "rollback" | "delete";

export function useIndexAction(name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (action: IndexAction) => {
      const params = { path: { name } };
      if (action === "clear") await take(api.POST("/v1/indexes/{name}/clear", { params }));
      else if (action === "rollback") await take(api.POST("/v1/indexes/{name}/rollback", { params }));
      else await take(api.DELETE("/v1/indexes/{name}", { params }));
    },
    // The page of an index that is gone is about to be left, and must not ask for it again.
    onSuccess: (_, action) => client.invalidateQueries({ queryKey: action === "delete" ? indexList.queryKey : ALL }),
  });
}
