// Reading what evaluations found of an index, which is kept as long as the generation that was measured.
import { infiniteQueryOptions } from "@tanstack/react-query";
import { type Answer, api, take } from "~/api/client";
import type { Evaluation, Page } from "~/api/types";

export function indexEvaluations(name: string) {
  return infiniteQueryOptions({
    // Below what indexes are kept by: when they change, so may these.
    queryKey: ["indexes", "evaluations", name],
    queryFn: ({ pageParam, signal }) =>
      take(api.GET("/v1/indexes/{name}/evaluations", {
        params: { path: { name }, query: { limit: 20, cursor: pageParam } }, signal,
      }) as Promise<Answer<Page<Evaluation>>>),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
}
