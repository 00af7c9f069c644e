// Reading what a training measured. The contract leaves it open what is in a row.
import { queryOptions } from "@tanstack/react-query";
import { type Answer, api, take, takeAll } from "~/api/client";
import type { EpochMetrics, Page, StepMetrics } from "~/api/types";
import { jobKeys } from "./queries";

export function trainingMetrics(id: string) {
  return queryOptions({
    queryKey: jobKeys.metrics(id),
    queryFn: ({ signal }) =>
      takeAll((cursor) => api.GET("/v1/jobs/{id}/metrics", {
        params: { path: { id }, query: { limit: 1000, cursor } }, signal,
      }) as Promise<Answer<Page<EpochMetrics>>>),
  });
}

/** The most points of a curve of steps. */
const STEP_POINTS = 600;

/** Rows of single steps, evenly spread over the run. */
export function trainingSteps(id: string) {
  return queryOptions({
    queryKey: jobKeys.steps(id),
    queryFn: async ({ signal }) => {
      const query = { by: "step" as const, points: STEP_POINTS };
      const page = await take(api.GET("/v1/jobs/{id}/metrics", { params: { path: { id }, query }, signal }) as Promise<Answer<Page<StepMetrics>>>);
      return page.items;
    },
  });
}
