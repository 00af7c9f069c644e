// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { act, cleanup, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { session, useSignOut } from "./queries";

const ME = { name: "admin", scope: "admin", scopes: [], expires_at: null };
const asked: string[] = [];
let end: (response: Response) => void;

beforeEach(() => {
  asked.length = 0;
  const ended = new Promise<Response>((resolve) => (end = resolve));
  vi.stubGlobal("fetch", (request: Request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`);
    return request.method === "DELETE" ? ended : Promise.resolve(Response.json(ME));
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function Panel() {
  // Asked for anew by every mount, and by whatever drops it while it is read.
  const counts = useQuery({ queryKey: ["jobs"], queryFn: () => fetch(new Request("http://localhost/v1/jobs/counts")).then(() => 1) });
  return <p>counts {counts.data}</p>;
}

function SignOut() {
  const { mutate } = useSignOut();
  return <button onClick={() => mutate()}>Sign out</button>;
}

function Page() {
  const me = useQuery(session);
  if (!me.data) return <p>sign in</p>;
  return <><SignOut /><Panel /></>;
}

async function signedIn(): Promise<QueryClient> {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  client.setQueryData(session.queryKey, ME as never);
  render(<QueryClientProvider client={client}><Page /></QueryClientProvider>);
  await screen.findByText("counts 1");
  return client;
}

function signOut(): void {
  act(() => screen.getByRole("button").click());
}

it("takes the page down before the session ends, and asks for nothing without one", async () => {
  const client = await signedIn();
  signOut();
  await waitFor(() => expect(asked).toContain("DELETE /v1/session"));
  expect(screen.getByText("sign in")).toBeTruthy();
  expect(client.getQueryCache().find({ queryKey: ["jobs"] })?.getObserversCount()).toBe(0);
  end(new Response(null, { status: 204 }));
  await waitFor(() => expect(client.getQueryCache().find({ queryKey: ["jobs"] })).toBeUndefined());
  expect(asked).toEqual(["GET /v1/jobs/counts", "DELETE /v1/session"]);
});

it("brings the page back when the session could not be ended", async () => {
  await signedIn();
  signOut();
  await waitFor(() => expect(asked).toContain("DELETE /v1/session"));
  end(Response.json({ status: 503, code: "database_unavailable", detail: "away" }, { status: 503 }));
  await screen.findByText("counts 1");
  expect(asked).toContain("GET /v1/me");
});
