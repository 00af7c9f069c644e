// A small in-memory API for working on the page without a server: `npm run dev:mock`, key `demo`.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Connect, Plugin } from "vite";
import { routes } from "./routes.ts";
import { stream } from "./sse.ts";
import { begin } from "./world.ts";

const LATENCY_MS = 60;

export interface Call {
  path: Record<string, string>;
  query: URLSearchParams;
  body: Buffer;
  request: IncomingMessage;
  response: ServerResponse;
}

/** What a route answers: a status and a JSON body, or nothing when it has answered by itself. */
export type Reply = Answer | undefined;

interface Answer {
  status?: number;
  body?: unknown;
}

export function mockApi(): Plugin {
  function serve({ middlewares }: { middlewares: Connect.Server }): void {
    begin();
    middlewares.use((request, response, next) => void handle(request, response, next));
  }
  return { name: "mock-api", configureServer: serve, configurePreviewServer: serve };
}

async function handle(request: IncomingMessage, response: ServerResponse, next: Connect.NextFunction): Promise<void> {
  const url = new URL(request.url ?? "/", "http://mock");
  if (!url.pathname.startsWith("/v1/")) {
    next();
    return;
  }
  const signedIn = (request.headers.cookie ?? "").includes("lookalike_session=demo");
  if (!signedIn && url.pathname !== "/v1/session") {
    send(response, problem(401, "unauthenticated", "a valid key is needed"));
    return;
  }
  if (stream(url, request, response)) return;
  const body = await read(request);
  await new Promise((resolve) => setTimeout(resolve, LATENCY_MS));
  for (const [method, pattern, answer] of routes) {
    const path = method === request.method ? match(pattern, url.pathname) : null;
    if (path === null) continue;
    const reply = await answer({ path, query: url.searchParams, body, request, response });
    if (reply !== undefined) send(response, reply);
    return;
  }
  send(response, problem(404, "not_found", `nothing is at ${url.pathname}`));
}

export function problem(status: number, code: string, detail: string): Answer {
  return { status, body: { type: "about:blank", title: code, status, detail, instance: null, code, request_id: "req-7f31", errors: [] } };
}

function send(response: ServerResponse, reply: Answer): void {
  response.statusCode = reply.status ?? 200;
  response.setHeader("content-type", (reply.status ?? 200) < 400 ? "application/json" : "application/problem+json");
  response.end(reply.body === undefined ? undefined : JSON.stringify(reply.body));
}

function match(pattern: string, path: string): Record<string, string> | null {
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  if (wanted.length !== given.length) return null;
  const found: Record<string, string> = {};
  for (const [place, part] of wanted.entries()) {
    const value = decodeURIComponent(given[place] ?? "");
    if (part.startsWith(":")) found[part.slice(1)] = value;
    else if (part !== value) return null;
  }
  return found;
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
