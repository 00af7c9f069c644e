// The mock's event streams, which resume as the real ones do.
import type { IncomingMessage, ServerResponse } from "node:http";
import { events } from "./jobs.ts";

/** Answers a request for events; false when it asked for something else. */
export function stream(url: URL, request: IncomingMessage, response: ServerResponse): boolean {
  const job = /^\/v1\/jobs\/([^/]+)\/events$/.exec(url.pathname)?.[1];
  if (job === undefined && url.pathname !== "/v1/events") return false;
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(": hello\n\n");
  const asked = request.headers["last-event-id"] ?? url.searchParams.get("after");
  let last = Number(asked ?? (job === undefined ? events.at(-1)?.data.id : 0) ?? 0);
  const timer = setInterval(() => {
    for (const { type, data } of events) {
      if (data.id <= last || (job !== undefined && data.job_id !== job)) continue;
      last = data.id;
      response.write(`id: ${data.id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
    }
  }, 200);
  request.on("close", () => clearInterval(timer));
  return true;
}
