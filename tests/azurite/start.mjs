// Azure's blob storage emulator on a free port with one container, for as long as standard input stays open.
// node start.mjs ACCOUNT KEY CONTAINER prints `ready http://127.0.0.1:PORT/ACCOUNT`.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const [account, key, container] = process.argv.slice(2);
const program = fileURLToPath(new URL("node_modules/azurite/dist/src/blob/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "lookalike-azurite-"));
const emulator = spawn(
  process.execPath,
  [program, "--blobHost", "127.0.0.1", "--blobPort", "0", "--location", folder, "--skipApiVersionCheck", "--disableTelemetry"],
  { env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${key}` }, stdio: ["ignore", "pipe", "inherit"] },
);

function end() {
  emulator.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
  process.exit();
}
process.stdin.resume().once("end", end).once("error", end);
process.once("SIGTERM", end);
emulator.once("exit", end);

/** Makes the container: a PUT signed with the shared key (Azure's REST reference, "Authorize with Shared Key"). */
async function makeContainer(endpoint) {
  const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2021-12-02" };
  const canonical = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`).join("");
  const resource = `/${account}/${account}/${container}\nrestype:container`;
  const signature = createHmac("sha256", Buffer.from(key, "base64")).update(`PUT${"\n".repeat(12)}${canonical}${resource}`, "utf8").digest("base64");
  const authorization = `SharedKey ${account}:${signature}`;
  const answer = await fetch(`${endpoint}/${container}?restype=container`, { method: "PUT", headers: { ...headers, authorization } });
  if (!answer.ok) throw new Error(`the container is not made: ${answer.status} ${await answer.text()}`);
}

createInterface(emulator.stdout).on("line", async (line) => {
  const [, port] = / listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(line) ?? [];
  if (port === undefined) return;
  const endpoint = `http://127.0.0.1:${port}/${account}`;
  await makeContainer(endpoint).catch((error) => {
    console.error(error.message);
    end();
  });
  console.log(`ready ${endpoint}`);
});
