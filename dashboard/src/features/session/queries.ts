// Who is signed in. The page keeps nothing but the server's HttpOnly cookie.
import { notifications } from "@mantine/notifications";
import { type Query, type QueryClient, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { ApiError, api, close, take } from "~/api/client";
import type { Me, Scope } from "~/api/types";

/** The key behind the session; null when there is none. */
export const session = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }): Promise<Me | null> => {
    try {
      const me = await take(api.GET("/v1/me", { signal }));
      // Somebody may have signed in elsewhere.
      close(false);
      return me;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

/** One after the other: a cookie that was just set is not taken away by a sign-out that is still on its way. */
const scope = { id: "session" };

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    scope,
    mutationFn: (key: string) => take(api.POST("/v1/session", { body: { key } })),
    onSuccess: () => {
      forget(client);
      close(false);
      return client.invalidateQueries({ queryKey: session.queryKey });
    },
  });
}

/** Drops what was read with another key. */
function forget(client: QueryClient): void {
  client.removeQueries({ predicate: isOther });
}

/** Ends the session. The page goes before it does, so that nothing is asked for without one. */
export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    scope,
    mutationFn: async () => {
      // An answer that is on its way would bring the page back.
      await client.cancelQueries({ queryKey: session.queryKey });
      client.setQueryData(session.queryKey, null);
      close(true);
      await unread(client);
      await take(api.DELETE("/v1/session"));
    },
    onSuccess: () => forget(client),
    // The session is still there: so is the page, once the server has said so.
    onError: (error) => {
      close(false);
      notifications.show({ color: "red", title: "Could not sign out", message: error.message });
      return client.invalidateQueries({ queryKey: session.queryKey });
    },
  });
}

const LONGEST_FAREWELL_MS = 1_000;

/**
 * Waits until nothing but the session is read: what was set is told to the page in a later task, which then takes its parts
 * down, and what they had asked for is given up. A part that stays anyway does not keep anybody signed in.
 */
async function unread(client: QueryClient): Promise<void> {
  const isRead = () => client.getQueryCache().findAll({ predicate: isOther }).some((query) => query.getObserversCount() > 0);
  const end = Date.now() + LONGEST_FAREWELL_MS;
  do await new Promise((resolve) => setTimeout(resolve)); while (isRead() && Date.now() < end);
  await client.cancelQueries({ predicate: isOther });
}

function isOther({ queryKey }: Query): boolean {
  return queryKey[0] !== session.queryKey[0];
}

const RANK: Scope[] = ["read", "submit", "manage", "admin"];

/** Whether `me` may do what needs `scope`; each scope includes those before it. The server checks again. */
export function may(me: Me | null | undefined, scope: Scope): boolean {
  return me !== null && me !== undefined && RANK.indexOf(me.scope) >= RANK.indexOf(scope);
}
