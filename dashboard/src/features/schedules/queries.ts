// Reading, making, changing and running schedules.
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, take, takeAll } from "~/api/client";
import type { NewSchedule, Timing } from "~/api/types";
import { every } from "~/live/every";

export const scheduleKeys = { all: ["schedules"] as const };

export function schedulesOf(index: string) {
  return queryOptions({
    queryKey: [...scheduleKeys.all, "of", index],
    queryFn: ({ signal }) =>
      takeAll((cursor) => api.GET("/v1/schedules", { params: { query: { index, limit: 200, cursor } }, signal })),
    refetchInterval: every(10_000),
  });
}

/** The next due times of what is being filled in; null asks for nothing. */
export function dueTimes(timing: Timing | null) {
  return queryOptions({
    queryKey: [...scheduleKeys.all, "preview", timing],
    queryFn: ({ signal }) => take(api.POST("/v1/schedules/preview", { body: timing ?? {}, signal })),
    enabled: timing !== null,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
}

export function useMakeSchedule() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ body, key }: { body: NewSchedule; key: string }) =>
      take(api.POST("/v1/schedules", { headers: { "Idempotency-Key": key }, body })),
    onSuccess: () => client.invalidateQueries({ queryKey: scheduleKeys.all }),
  });
}

export type ScheduleAction = "run" | "pause" | "resume" | "delete";

export function useScheduleAction(name: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (action: ScheduleAction) => {
      const params = { path: { name } };
      if (action === "run") await take(api.POST("/v1/schedules/{name}/run", { params }));
      else if (action === "delete") await take(api.DELETE("/v1/schedules/{name}", { params }));
      else await take(api.PATCH("/v1/schedules/{name}", { params, body: { paused: action === "pause" } }));
    },
    // Also when it was refused: then what is shown is not what is.
    onSettled: () => client.invalidateQueries({ queryKey: scheduleKeys.all }),
  });
}
