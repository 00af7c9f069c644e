// The one way the page talks to the API: a typed client, and `take`, which turns every refusal and every
// failure to connect into an `ApiError` that a person can read. The session cookie travels by itself.
import createClient from "openapi-fetch";
import type { paths } from "./schema";
import type { Page, Problem, Whole } from "./types";

export const api = createClient<paths, "application/json">({
  baseUrl: typeof location === "undefined" ? undefined : location.origin,
  credentials: "same-origin",
  fetch: (request) => globalThis.fetch(request),
});

/** What may be asked while nobody is signed in. */
const OF_THE_SESSION = ["/v1/me", "/v1/session"];
let closed = false;

/** Once closed, nothing but the session is asked for: a part of the page that is still being put up asks in vain. */
export function close(isClosed: boolean): void {
  closed = isClosed;
}

api.use({
  onRequest({ schemaPath }) {
    if (closed && !OF_THE_SESSION.includes(schemaPath)) throw new DOMException("The session is over.", "AbortError");
  },
});

/** A request that was refused, or never answered (`status` 0). */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly requestId: string | null = null,
    readonly fields: { pointer: string; detail: string }[] = [],
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Whether asking again may help. */
  get isTransient(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

export interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a successful answer; throws `ApiError` otherwise. */
export async function take<T>(pending: Promise<Answer<T>>): Promise<Whole<T>> {
  let answer: Answer<T>;
  try {
    answer = await pending;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError("The server cannot be reached. Is it running?", 0, "unreachable");
  }
  if (!answer.response.ok) throw refusal(answer.error, answer.response);
  return answer.data as Whole<T>;
}

/** A request whose body or answer is no JSON; its answer is a success. */
export async function send(path: string, init: RequestInit): Promise<Response> {
  const pending = fetch(path, { credentials: "same-origin", ...init });
  const answered = pending.then(async (response) => ({ response, ...(!response.ok && { error: await body(response) }) }));
  await take(answered);
  return pending;
}

async function body(response: Response): Promise<unknown> {
  return response.json().catch(() => null) as Promise<unknown>;
}

/** Follows cursors from `first` on until the list ends or `maxPages` were read. */
export async function takeAll<T>(
  page: (cursor: string | undefined) => Promise<Answer<Page<T>>>,
  maxPages = 30,
): Promise<Whole<T>[]> {
  const items: Whole<T>[] = [];
  let cursor: string | undefined;
  for (let read = 0; read < maxPages; read += 1) {
    const { items: more, next_cursor: next } = await take(page(cursor));
    items.push(...more);
    if (next === null) break;
    cursor = next;
  }
  return items;
}

function refusal(body: unknown, response: Response): ApiError {
  const fallback = response.statusText || `The server answered ${response.status}`;
  if (!isProblem(body)) return new ApiError(fallback, response.status, "unknown");
  const message = capitalised(body.detail || body.title || fallback);
  return new ApiError(message, response.status, body.code, body.request_id, body.errors);
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && "status" in body;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
