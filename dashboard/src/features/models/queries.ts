// Reading and comparing models; choosing the default version; labelling; deleting.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, take, takeAll } from "~/api/client";

const ALL = ["models"] as const;

export const modelList = queryOptions({
  queryKey: [...ALL, "list"],
  queryFn: ({ signal }) => takeAll((cursor) => api.GET("/v1/models", { params: { query: { limit: 200, cursor } }, signal })),
});

/** The networks that can be trained. */
export const backbones = queryOptions({
  queryKey: ["system"],
  queryFn: async ({ signal }) => (await take(api.GET("/v1/system", { signal }))).backbones,
  staleTime: Infinity,
});

/** Every version of a model, the newest first; what of a card is long is left out. */
export function modelVersions(name: string) {
  return queryOptions({
    queryKey: [...ALL, "versions", name],
    queryFn: ({ signal }) => takeAll((cursor) => api.GET("/v1/models/{name}", { params: { path: { name }, query: { limit: 200, cursor } }, signal })),
  });
}

/** One version with its whole card. */
export function modelVersion(name: string, version: number) {
  return queryOptions({
    queryKey: [...ALL, "version", name, version],
    queryFn: ({ signal }) => take(api.GET("/v1/models/{name}/{version}", { params: { path: { name, version: String(version) } }, signal })),
  });
}

export function confusion(name: string, version: number) {
  return queryOptions({
    queryKey: [...ALL, "confusion", name, version],
    queryFn: ({ signal }) => take(api.GET("/v1/models/{name}/{version}/confusion", { params: { path: { name, version: String(version) } }, signal })),
    staleTime: Infinity,
  });
}

export function useSetDefault(name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (version: number) => take(api.PUT("/v1/models/{name}/default", { params: { path: { name } }, body: { version } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ALL }),
  });
}

/** Lets the name mean again what it meant before. */
export function useRollBack(name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => take(api.POST("/v1/models/{name}/rollback", { params: { path: { name } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ALL }),
  });
}

/** Sets labels of a version, and takes those away that are null. */
export function useSetLabels(name: string, version: number) {
  const client = useQueryClient();
  const params = { path: { name, version: String(version) } };
  return useMutation({
    mutationFn: (labels: Record<string, string | null>) => take(api.PATCH("/v1/models/{name}/{version}", { params, body: { labels } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ALL }),
  });
}

/** Two versions side by side; `a` and `b` as the path of a model names them. */
export function comparison(name: string, a: string, b: string) {
  return queryOptions({
    queryKey: [...ALL, "comparison", name, a, b],
    queryFn: ({ signal }) => take(api.GET("/v1/models/{name}/compare", { params: { path: { name }, query: { a, b } }, signal })),
  });
}

/** Deletes a version; `last` when the name goes with it, whose page must not ask for it again. */
export function useDeleteVersion(name: string, last: boolean) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (version: number) => take(api.DELETE("/v1/models/{name}/{version}", { params: { path: { name, version: String(version) } } })),
    onSuccess: (_, version) => client.invalidateQueries({
      queryKey: last ? modelList.queryKey : ALL,
      // What is gone is still on the page, and not to be asked for again.
      predicate: ({ queryKey: [, , of, number] }) => of !== name || number !== version,
    }),
  });
}
