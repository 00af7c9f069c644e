// Who is signed in. The page keeps nothing but the server's HttpOnly cookie.
import { type QueryClient, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
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
    onSuccess: () => {
      forget(client);
      return client.invalidateQueries({ queryKey: session.queryKey });
    },
  });
}

/** Drops what was read with another key. */
function forget(client: QueryClient): void {
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== session.queryKey[0] });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => take(api.DELETE("/v1/session")),
    // The page goes first, and with it everything that would read again what is dropped.
    onSuccess: () => {
      client.setQueryData(session.queryKey, null);
      forget(client);
    },
  });
}

const RANK: Scope[] = ["read", "submit", "manage", "admin"];

/** Whether `me` may do what needs `scope`; each scope includes those before it. The server checks again. */
export function may(me: Me | null | undefined, scope: Scope): boolean {
  return me !== null && me !== undefined && RANK.indexOf(me.scope) >= RANK.indexOf(scope);
}
