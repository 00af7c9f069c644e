// Reading, making and revoking keys.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, take, takeAll } from "~/api/client";
import type { Scope } from "~/api/types";

export const keyList = queryOptions({
  queryKey: ["keys"],
  queryFn: ({ signal }) => takeAll((cursor) => api.GET("/v1/keys", { params: { query: { limit: 200, cursor } }, signal })),
});

export function useMakeKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { name: string; scope: Scope }) => take(api.POST("/v1/keys", { body })),
    onSuccess: () => client.invalidateQueries({ queryKey: keyList.queryKey }),
  });
}

export function useRevokeKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => take(api.DELETE("/v1/keys/{id}", { params: { path: { id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: keyList.queryKey }),
  });
}
