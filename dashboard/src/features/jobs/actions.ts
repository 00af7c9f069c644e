// Changing jobs: one at a time or many at once.
import { type Query, type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, take } from "~/api/client";
import type { JobAction } from "~/api/types";
import { bulkWire, type JobSearch } from "./filter";
import { jobKeys } from "./queries";

/** One action on one job. */
export function useJobAction(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: jobKeys.action(id),
    mutationFn: async (action: JobAction) => {
      const params = { path: { id } };
      if (action === "cancel") await take(api.POST("/v1/jobs/{id}/cancel", { params }));
      else if (action === "pause") await take(api.POST("/v1/jobs/{id}/pause", { params }));
      else if (action === "resume") await take(api.POST("/v1/jobs/{id}/resume", { params }));
      else if (action === "retry") await take(api.POST("/v1/jobs/{id}/retry", { params }));
      else {
        // What is on its way would come too late.
        await client.cancelQueries({ predicate: leaving(client) });
        await take(api.DELETE("/v1/jobs/{id}", { params }));
      }
    },
    onSuccess: async (_, action) => {
      if (action !== "delete") return client.invalidateQueries({ queryKey: jobKeys.all });
      // The page that is about to be left must not ask for it again.
      await Promise.all([jobKeys.lists, jobKeys.counts].map((queryKey) => client.invalidateQueries({ queryKey })));
    },
  });
}

/** Whether a query is of a job that is deleted from here: its page may be up for a moment yet, and asks for nothing more. */
export function leaving(client: QueryClient): (query: Query) => boolean {
  const deletions = client.getMutationCache().findAll({
    mutationKey: jobKeys.actions,
    predicate: ({ state }) => state.variables === "delete" && state.status !== "error",
  });
  const ids = new Set(deletions.map(({ options }) => options.mutationKey?.[2]));
  return ({ queryKey: [scope, , id] }) => scope === "jobs" && ids.has(id);
}

export type BulkTarget = { ids: string[] } | { matching: JobSearch };

/** One action on many jobs: those named, or all that a filter matches. */
export function useBulkAction() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ action, target }: { action: JobAction; target: BulkTarget }) => {
      const body = "ids" in target ? { action, ids: target.ids } : { action, filter: bulkWire(target.matching, Date.now()) };
      return take(api.POST("/v1/jobs/bulk", { body }));
    },
    onSuccess: () => client.invalidateQueries({ queryKey: jobKeys.all }),
  });
}
