// A whole Lookalike on an empty folder: drawn pictures of a few classes as the source `photos`, the real
// `lookalike up` on a free port, and its API with the admin's key. Nothing is left behind by `stop`.
//
// LOOKALIKE_BIN names another `lookalike` than the one in target/release.
import { execFile, spawn } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const PROGRAM = process.env.LOOKALIKE_BIN ?? fileURLToPath(new URL("../../target/release/lookalike", import.meta.url));
const READY_WITHIN_MS = 60_000;
const run = promisify(execFile);

/** The classes that are kept of those that `lookalike samples` draws. */
export const CLASSES = ["checkerboard", "rings", "stripes"];

/** Settings of this machine must not reach the stack under test. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("LOOKALIKE_")));

export async function startStack() {
  const folder = await mkdtemp(join(tmpdir(), "lookalike-browser-"));
  // As root, PostgreSQL runs as somebody else, who has to get in.
  await chmod(folder, 0o755);
  const pictures = join(folder, "pictures");
  await drawPictures(pictures);

  const data = join(folder, "data");
  const server = spawn(PROGRAM, ["up", "--data-dir", data, "--listen", "127.0.0.1:0", "--device", "cpu", "--source", `photos=${pictures}`], {
    env, stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise((resolve) => server.once("exit", (code, signal) => resolve(code ?? signal)));
  const kill = () => server.kill("SIGTERM");
  process.once("exit", kill);
  const url = await ready(server, ended).catch((error) => {
    kill();
    throw error;
  });
  const key = (await readFile(join(data, "admin.key"), "utf8")).trim();

  return {
    url,
    key,
    pictures,
    api: (path, options) => call(url, key, path, options),
    /** Ends the stack as Ctrl-C would, and answers with its exit code. */
    async stop() {
      kill();
      const code = await ended;
      process.removeListener("exit", kill);
      await rm(folder, { recursive: true, force: true });
      return code;
    },
  };
}

async function drawPictures(folder) {
  await run(PROGRAM, ["samples", folder, "--train", "16", "--gallery", "10", "--queries", "2"], { env });
  for (const part of await readdir(folder)) {
    for (const name of await readdir(join(folder, part))) {
      if (!CLASSES.includes(name)) await rm(join(folder, part, name), { recursive: true });
    }
  }
}

/** The address in the line `ready http://...`; what the server wrote when it ends without one. */
async function ready(server, ended) {
  const said = [];
  createInterface(server.stderr).on("line", (line) => said.push(line));
  const line = new Promise((resolve) => {
    createInterface(server.stdout).on("line", (text) => text.startsWith("ready ") && resolve(text.slice("ready ".length).trim()));
  });
  const failed = (why) => new Error(`${PROGRAM} up ${why}:\n${said.slice(-20).join("\n")}`);
  let late;
  const timeout = new Promise((_, reject) => {
    late = setTimeout(() => reject(failed(`was not ready within ${READY_WITHIN_MS} ms`)), READY_WITHIN_MS);
  });
  try {
    return await Promise.race([line, timeout, ended.then((code) => Promise.reject(failed(`ended with ${code}`)))]);
  } finally {
    clearTimeout(late);
  }
}

/** A request with the admin's key; its answer must be a success, and is parsed. */
async function call(url, key, path, { method = "GET", body, headers = {} } = {}) {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}
