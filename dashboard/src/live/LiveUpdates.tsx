// The page's one stream of all job events, held by the shell. Everything on screen hears through it.
import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useEffect, useMemo, useRef } from "react";
import { jobKeys } from "~/features/jobs/queries";
import { liveJobs } from "~/features/jobs/live";
import { session } from "~/features/session/queries";
import type { StreamStatus } from "./stream";
import { useLive } from "./useLive";

const LiveStatus = createContext<StreamStatus>("connecting");

/** How the stream of events is doing. */
export function useLiveStatus(): StreamStatus {
  return use(LiveStatus);
}

/** Follows all job events for the components inside. */
export function LiveUpdates({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const jobs = useMemo(() => liveJobs(client), [client]);
  const status = useLive("/v1/events", jobs.receive);
  const before = useRef<StreamStatus>(status);

  useEffect(() => {
    // What happened between the first fetch and the first event is in neither.
    if (status === "live" && before.current !== "live") {
      jobs.refetch(jobKeys.all);
      // The server answers again, and so may what failed meanwhile.
      void client.refetchQueries({ predicate: ({ state }) => state.status === "error" });
    }
    // A stream that is refused may mean that the session has ended.
    if (status === "waiting") void client.invalidateQueries({ queryKey: session.queryKey });
    before.current = status;
  }, [status, client, jobs]);

  return <LiveStatus value={status}>{children}</LiveStatus>;
}
