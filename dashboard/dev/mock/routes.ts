// What each route of the mock answers.
import type { Job, JobAction, RankBy } from "../../src/api/types.ts";
import { id } from "./chance.ts";
import { become, jobs, logs, metrics, newJob, steps, tell } from "./jobs.ts";
import { activated, dropped } from "./generations.ts";
import { answer, confusion, entries, indexes, keys, objects, sources, tested, versions } from "./library.ts";
import { becomeDefault, compared, labelled, performance } from "./registry.ts";
import { picture } from "./pictures.ts";
import { type Call, problem, type Reply } from "./plugin.ts";
import { schedules } from "./schedules.ts";
import { empty, paused, queues, queueSamples, workers, workerSamples } from "./world.ts";

type Route = [method: string, pattern: string, answer: (call: Call) => Reply | Promise<Reply>];

const FINAL = ["succeeded", "failed", "cancelled"];
const list = (items: unknown[]): Reply => ({ body: { items, next_cursor: null } });
const found = (value: unknown, what: string): Reply => (value === undefined ? problem(404, `${what}_not_found`, `there is no such ${what}`) : { body: value });
const one = ({ path }: Call): Job | undefined => jobs.find((job) => job.id === path.id);

function page(items: unknown[], { query }: Call): Reply {
  const from = Number(query.get("cursor") ?? 0);
  const to = from + Number(query.get("limit") ?? 50);
  return { body: { items: items.slice(from, to), next_cursor: to < items.length ? String(to) : null } };
}

function session({ body, response }: Call): Reply {
  const { key } = JSON.parse(body.toString()) as { key: string };
  if (key !== "demo") return problem(401, "unauthenticated", "this key is not valid");
  response.setHeader("set-cookie", "lookalike_session=demo; Path=/; HttpOnly; SameSite=Strict");
  return { status: 204 };
}

function filtered({ query }: Pick<Call, "query">): Job[] {
  const [name = "", value = ""] = (query.get("label") ?? "").split(":");
  return jobs.filter((job) =>
    (["kind", "state", "queue"] as const).every((field) => (query.get(field) ?? job[field]) === job[field])
    && (name === "" || job.labels[name] === value) && job.created_at >= (query.get("since") ?? ""));
}

function act(job: Job, action: JobAction): boolean {
  if (action === "cancel" && !FINAL.includes(job.state)) become(job, job.state === "running" ? "cancelling" : "cancelled");
  else if (action === "retry" && (job.state === "failed" || job.state === "cancelled")) {
    Object.assign(job, { error: null, finished_at: null, started_at: null, result: null });
    become(job, "queued");
  } else if (action === "pause" && !job.paused && ["queued", "running", "retrying"].includes(job.state)) {
    Object.assign(job, { paused: true, state_reason: "paused", next_attempt_at: null });
    become(job, "queued", "paused");
  } else if (action === "resume" && job.paused) {
    Object.assign(job, { paused: false, state_reason: "resumed" });
    become(job, "queued", "resumed");
  } else if (action === "delete" && FINAL.includes(job.state)) {
    jobs.splice(jobs.indexOf(job), 1);
    tell(job, "deleted");
  } else return false;
  return true;
}

function single(action: JobAction): (call: Call) => Reply {
  return (call) => {
    const job = one(call);
    if (job === undefined) return problem(404, "job_not_found", "there is no such job");
    return act(job, action) ? { status: action === "delete" ? 204 : 200, body: action === "delete" ? undefined : job } : problem(409, "wrong_state", `a ${job.state} job cannot be ${action}ed`);
  };
}

function bulk({ body }: Call): Reply {
  const { action, ids, filter } = JSON.parse(body.toString()) as { action: JobAction; ids?: string[]; filter?: Record<string, string> };
  const chosen = ids === undefined ? filtered({ query: new URLSearchParams(filter) }) : jobs.filter((job) => ids.includes(job.id));
  return { body: { affected: chosen.filter((job) => act(job, action)).length, dry_run: false, items: [] } };
}

/** Reads the plain fields of a multipart form. */
function field(form: string): (name: string) => string | undefined {
  return (name) => new RegExp(`name="${name}"\\r\\n\\r\\n([^\\r]*)`).exec(form)?.[1];
}

async function search({ body }: Call): Promise<Reply> {
  const part = field(body.toString("latin1"));
  const [index = "gallery", entry] = [part("index"), part("entry_id")];
  await new Promise((resolve) => setTimeout(resolve, Number(process.env.MOCK_SLOW ?? 250)));
  const job = newJob("search", Date.now(), "succeeded");
  const json = (name: string): unknown => (part(name) === undefined ? undefined : JSON.parse(part(name) ?? "null"));
  job.params = { index, k: Number(part("k") ?? 20), filter: json("filter"), collapse_duplicates: json("collapse_duplicates"), probes: part("probes"), query: entry === undefined ? { by: "picture", crop: json("crop") } : { by: "entry", entry_id: entry } };
  job.result = answer(index, Number(part("k") ?? 20), (part("rank_by") ?? "embedding") as RankBy, entry === undefined ? 17 : Number(entry.split("-")[0]));
  return { body: job };
}

function submit(kind: string, { body }: Call): Reply {
  const params = JSON.parse(body.toString()) as { model?: string };
  if (params.model === "refused") {
    const refusal = problem(422, "invalid", "1 field is not valid");
    return { status: 422, body: { ...(refusal.body as object), errors: [{ pointer: "/model", detail: "there is no model \"refused\"" }] } };
  }
  const job = newJob(kind, Date.now(), "queued");
  job.params = params;
  tell(job, "queued");
  return { status: 202, body: job };
}

function counts(): Reply {
  const tally = (field: "state" | "kind") => jobs.reduce<Record<string, number>>((sum, job) => ({ ...sum, [job[field]]: (sum[job[field]] ?? 0) + 1 }), {});
  return { body: { by_state: tally("state"), by_kind: tally("kind") } };
}

function sendPicture({ path, response }: Call): undefined {
  const { type, body } = picture(path.entry ?? "");
  response.setHeader("content-type", type);
  response.end(body);
}

function pause({ path }: Call, wanted: boolean): Reply {
  if (wanted) paused.add(path.name ?? "");
  else paused.delete(path.name ?? "");
  return found(queues().find(({ name }) => name === path.name), "queue");
}

const models = () => [...new Set(versions.map(({ name }) => name))].map((name) => {
  const all = versions.filter((each) => each.name === name);
  const meant = all.find((each) => each.is_default) ?? all.at(-1);
  return { name, default_version: meant?.version, versions: all.length, latest: all.at(-1), default: meant };
});

export const routes: Route[] = [
  ["POST", "/v1/session", session],
  ["DELETE", "/v1/session", ({ response }) => { response.setHeader("set-cookie", "lookalike_session=; Path=/; Max-Age=0"); return { status: 204 }; }],
  ["GET", "/v1/me", () => ({ body: { name: "admin", scope: "admin", scopes: ["read", "submit", "manage", "admin"], expires_at: null } })],
  ["GET", "/v1/queues", () => list(queues())],
  ["GET", "/v1/queues/samples", (call) => page(queueSamples.filter(({ at }) => at > (call.query.get("since") ?? "")), call)],
  ["POST", "/v1/queues/:name/pause", (call) => pause(call, true)],
  ["POST", "/v1/queues/:name/resume", (call) => pause(call, false)],
  ["GET", "/v1/workers", () => list(workers)],
  ["GET", "/v1/workers/:id/samples", (call) => page((workerSamples.get(call.path.id ?? "") ?? []).filter(({ at }) => at > (call.query.get("since") ?? "")), call)],
  ["GET", "/v1/jobs", (call) => page(filtered(call), call)],
  ["GET", "/v1/jobs/counts", counts],
  ["POST", "/v1/jobs/bulk", bulk],
  ["POST", "/v1/jobs/search", search],
  ...["train", "index", "evaluate", "rebuild"].map((kind): Route => ["POST", `/v1/jobs/${kind}`, (call) => submit(kind, call)]),
  ["GET", "/v1/system", () => ({ body: { version: "0.1.0", backbones: ["alexnet", "squeezenet1_1", "mobilenet_v2", "resnet18"].map((name) => ({ name, default_image_size: 224, min_image_size: 32, embedding_dim: 512 })) } })],
  ["GET", "/v1/jobs/:id", (call) => found(one(call), "job")],
  ["DELETE", "/v1/jobs/:id", single("delete")],
  ["POST", "/v1/jobs/:id/cancel", single("cancel")],
  ["POST", "/v1/jobs/:id/retry", single("retry")],
  ["POST", "/v1/jobs/:id/pause", single("pause")],
  ["POST", "/v1/jobs/:id/resume", single("resume")],
  ["GET", "/v1/jobs/:id/hits", ({ path, request, response }) => {
    if (!(request.headers.accept ?? "").includes("text/csv")) return problem(400, "no", "mock: csv only");
    response.setHeader("content-type", "text/csv; charset=utf-8");
    response.end(`rank,uri\n1,photos/${path.id ?? ""}\n`);
    return undefined;
  }],
  ["GET", "/v1/indexes/:name/evaluations", (call) => page(jobs.filter((job) => job.kind === "evaluate" && job.state === "succeeded" && (job.result as { index: string }).index === call.path.name).map((job) => ({ id: job.id, generation: (job.result as { generation: number }).generation, at: job.finished_at, result: job.result })), call)],
  ["GET", "/v1/indexes/:name/evaluations/:id/queries/:entry/thumbnail", sendPicture],
  ["GET", "/v1/jobs/:id/logs", ({ path }) => list(logs.get(path.id ?? "") ?? [])],
  ["GET", "/v1/jobs/:id/metrics", ({ path, query }) => {
    const epochs = metrics.get(path.id ?? "") ?? [];
    return list(query.get("by") === "step" ? steps(epochs.length) : epochs);
  }],
  ["GET", "/v1/jobs/:id/items", (call) => list((one(call)?.progress.failed ?? 0) === 0 ? [] : [
    { uri: "photos/gallery/lemon/IMG_0412.jpg", status: "failed", code: "truncated", detail: "the file ends after 18,432 of 96,210 bytes" },
    { uri: "photos/gallery/teapot/scan_01.tiff", status: "failed", code: "too_many_pixels", detail: "65535 x 65535 pixels are more than the 100,000,000 allowed" },
    { uri: "photos/gallery/volcano/notes.jpg", status: "failed", code: "unknown_format", detail: "no picture: its first bytes are 3c 21 44 4f" },
  ])],
  ["GET", "/v1/jobs/:id/items/summary", (call) => ({ body: (one(call)?.progress.failed ?? 0) === 0 ? { failed: 0, codes: [] } : {
    failed: 3, codes: ["too_many_pixels", "truncated", "unknown_format"].map((code) => ({ code, count: 1 })),
  } })],
  ["GET", "/v1/models", () => list(empty ? [] : models())],
  ["GET", "/v1/models/:name", ({ path }) => list(versions.filter(({ name }) => name === path.name))],
  ["GET", "/v1/models/:name/compare", ({ query }) => compared(query.get("a"), query.get("b"))],
  ["GET", "/v1/models/:name/:version", ({ path }) => found(versions.find(({ name, version }) => name === path.name && String(version) === path.version), "model")],
  ["PUT", "/v1/models/:name/default", ({ path, body }) => becomeDefault(path.name, (JSON.parse(body.toString()) as { version: number }).version)],
  ["POST", "/v1/models/:name/rollback", ({ path }) => becomeDefault(path.name, 1)],
  ["PATCH", "/v1/models/:name/:version", ({ path, body }) => labelled(path.name, path.version, (JSON.parse(body.toString()) as { labels: Record<string, string | null> }).labels)],
  ["DELETE", "/v1/models/:name/:version", ({ path }) => problem(409, "conflict", `${path.name ?? ""}@${path.version ?? ""} is used by: catalogue, gallery; delete or rebuild them first`)],
  ["GET", "/v1/system/training-performance", () => ({ body: performance() })],
  ["GET", "/v1/models/:name/:version/confusion", () => ({ body: confusion() })],
  ["GET", "/v1/indexes", () => list(empty ? [] : indexes)],
  ["GET", "/v1/indexes/:name", ({ path }) => found(indexes.find(({ name }) => name === path.name), "index")],
  ["GET", "/v1/indexes/:name/generations", ({ path }) => list((indexes.find(({ name }) => name === path.name)?.generations ?? []).map((each) => ({ ...each, size_bytes: each.entries * 4_300 })))],
  ["DELETE", "/v1/indexes/:name/generations/:id", ({ path }) => dropped(path.name, path.id)],
  ["POST", "/v1/indexes/:name/activate", ({ path, body }) => activated(path.name, (JSON.parse(body.toString()) as { generation: number }).generation)],
  ["GET", "/v1/indexes/:name/entries", ({ path, query }) => {
    const from = Number(query.get("cursor") ?? 0);
    return { body: { items: entries(path.name ?? "", query.get("class") ?? undefined, from), next_cursor: from < 400 ? String(from + 48) : null } };
  }],
  ["GET", "/v1/indexes/:name/entries/:entry/thumbnail", sendPicture],
  ["GET", "/v1/indexes/:name/entries/:entry/image", sendPicture],
  ["GET", "/v1/schedules", ({ query }) => list(empty ? [] : schedules(query.get("index") ?? "gallery"))],
  ["POST", "/v1/schedules/preview", () => ({ body: { next: [1, 2, 3, 4, 5].map((times) => new Date(Date.now() + times * 900_000).toISOString()) } })],
  ["GET", "/v1/sources", () => list(sources)],
  ["POST", "/v1/sources/:name/test", ({ path }) => found(tested(path.name ?? ""), "source")],
  ["POST", "/v1/sources/:name/validate", (call) => submit("validate", call)],
  ["DELETE", "/v1/uploads/:set", () => ({ status: 204 })],
  ["GET", "/v1/sources/:name/objects", ({ query }) => list(objects(query.get("prefix") ?? ""))],
  ["GET", "/v1/keys", () => list(keys)],
  ["POST", "/v1/keys", ({ body }) => ({ status: 201, body: { ...keys[1], ...(JSON.parse(body.toString()) as object), id: id(Date.now()), key: "lk_5f0e8c1d2a7b4936_demo" } })],
];
