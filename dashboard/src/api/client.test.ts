// @vitest-environment happy-dom
import { afterEach, expect, it, vi } from "vitest";
import { ApiError, api, take, takeAll } from "./client";

afterEach(() => vi.unstubAllGlobals());

function answering(...answers: [status: number, body: unknown][]) {
  const asked: Request[] = [];
  vi.stubGlobal("fetch", (request: Request) => {
    asked.push(request);
    const [status, body] = answers[asked.length - 1] ?? [500, {}];
    return Promise.resolve(new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } }));
  });
  return asked;
}

it("turns a problem document into an error that a person can read", async () => {
  answering([409, { status: 409, code: "wrong_state", title: "Conflict", detail: "a running job cannot be deleted", request_id: "r1", errors: [] }]);
  const error: unknown = await take(api.DELETE("/v1/jobs/{id}", { params: { path: { id: "a/b" } } })).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 409, code: "wrong_state", message: "A running job cannot be deleted", requestId: "r1", isTransient: false });
});

it("tells a server that does not answer from one that refuses", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed to fetch")));
  await expect(take(api.GET("/v1/me"))).rejects.toMatchObject({ status: 0, code: "unreachable", isTransient: true });
});

it("follows cursors to the end of a list", async () => {
  const asked = answering([200, { items: [1, 2], next_cursor: "x" }], [200, { items: [3], next_cursor: null }]);
  const all = await takeAll((cursor) => api.GET("/v1/models", { params: { query: { limit: 2, cursor } } }));
  expect(all).toEqual([1, 2, 3]);
  expect(asked.map(({ url }) => new URL(url).search)).toEqual(["?limit=2", "?limit=2&cursor=x"]);
});
