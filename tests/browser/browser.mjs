// A headless browser, and pages whose every mishap is noted: errors in the console, exceptions, requests that
// failed or were refused, and whatever the content security policy blocked.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
/** No step takes that long on a machine that does something else besides. */
const PATIENCE_MS = 20_000;

export const DESK = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** Before somebody is signed in, asking who they are is answered with 401, and so is a wrong key. */
const SIGNED_OUT = /^401 (GET|DELETE|POST) \/v1\/(me|session)$/;

export async function openBrowser(url) {
  const installed = fileURLToPath(new URL("../../deploy/local/browser", import.meta.url));
  const executablePath = process.env.CHROMIUM || execFileSync(installed, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  const mishaps = [];

  return {
    /** Everything that went wrong on any page so far. */
    mishaps,
    close: () => browser.close(),
    /** A visitor of their own: signed in with `key`, or not at all. `expected` tells mishaps that are meant to happen. */
    async visitor({ key, viewport = DESK, colorScheme = "light", expected = [] } = {}) {
      const context = await browser.newContext({ baseURL: url, viewport, colorScheme, hasTouch: viewport === PHONE, isMobile: viewport === PHONE });
      context.setDefaultTimeout(PATIENCE_MS);
      if (key !== undefined) {
        const answer = await context.request.post("/v1/session", { data: { key } });
        if (!answer.ok()) throw new Error(`signing in was answered with ${answer.status()}`);
      }
      await context.addInitScript(() => {
        addEventListener("securitypolicyviolation", (event) => {
          console.error(`the policy blocked ${event.blockedURI} (${event.violatedDirective})`);
        });
      });
      context.on("page", (page) => watch(page, url, (mishap) => {
        if (![SIGNED_OUT, ...expected].some((known) => known.test(mishap))) mishaps.push(`${mishap} (on ${new URL(page.url()).pathname})`);
      }));
      return context;
    },
  };
}

function watch(page, url, note) {
  page.on("console", (message) => {
    // A refusal is noted below, with its status.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) note(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => note(`exception: ${error.message}`));
  page.on("request", (request) => {
    if (/^https?:/.test(request.url()) && !request.url().startsWith(url)) note(`a request to another host: ${request.url()}`);
  });
  page.on("requestfailed", (request) => {
    const reason = request.failure()?.errorText ?? "failed";
    // What leaving a page interrupts has not failed.
    if (reason !== "net::ERR_ABORTED") note(`${reason} ${request.method()} ${path(request)}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) note(`${response.status()} ${response.request().method()} ${path(response)}`);
  });
}

function path(about) {
  return new URL(about.url()).pathname;
}
