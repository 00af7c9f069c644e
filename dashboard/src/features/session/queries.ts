// Who is signed in. The page keeps nothing but the server's HttpOnly cookie.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { ApiError, api, take } from "~/api/client";
import type { Me, Scope } from "~/api/types";

/** The key behind the session; null when there is none. */
export const session = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }): Promise<Me | null> => {
    try {
      return await take(api.GET("/v1/me", { signal }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (key: string) => take(api.POST("/v1/session", { body: { key } })),
    onSuccess: () => client.invalidateQueries({ queryKey: session.queryKey }),
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => take(api.DELETE("/v1/session")),
    onSuccess: () => {
      client.clear();
      client.setQueryData(session.queryKey, null);
    },
  });
}

const RANK: Scope[] = ["read", "submit", "manage", "admin"];

/** Whether `me` may do what needs `scope`; each scope includes those before it. The server checks again. */
export function may(me: Me | null | undefined, scope: Scope): boolean {
  return me !== null && me !== undefined && RANK.indexOf(me.scope) >= RANK.indexOf(scope);
}
