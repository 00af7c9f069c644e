// The page in a real browser against a real stack. The tests run one after another on one stack and wait for
// what they want to see; none sleeps.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openBrowser, PHONE } from "./browser.mjs";
import { assertDisabled, assertPicturesLoad, colours, drop, open, state, tabTo } from "./page.mjs";
import { CLASSES, startStack } from "./stack.mjs";

const RECIPE = {
  dataset: { source: "photos", prefix: "train/" }, backbone: "squeezenet1_1", image_size: 64, optimizer: "adamw", min_images_per_class: 10,
};
/** A training of this many epochs is still running whenever somebody looks. */
const ENDLESS = 1_000;

let stack;
let browser;
let picture;
const made = {};

before(async () => {
  stack = await startStack();
  picture = join(stack.pictures, "queries", "rings", "000.jpg");
  const filled = fillLibrary();
  browser = await openBrowser(stack.url);
  await filled;
});

after(async () => {
  await browser?.close();
  if (stack !== undefined) assert.equal(await stack.stop(), 0, "the stack ends with code 0");
});

/** A model, an index made with it, one job of each kind that has ended, and one that failed. */
async function fillLibrary() {
  made.train = await finished("train", { model: "shapes", ...RECIPE, epochs: 3 });
  made.index = await finished("index", { index: "gallery", model: "shapes", source: "photos", prefix: "gallery/" });
  made.search = await finished("search", { index: "gallery", k: 6, source: "photos", key: "queries/rings/000.jpg" });
  made.evaluate = await finished("evaluate", { index: "gallery", source: "photos", prefix: "queries/" });
  made.failed = await finished("train", { model: "starved", ...RECIPE, min_images_per_class: 1_000, max_attempts: 1 });
}

/** So many epochs that a training takes about six seconds on this machine: time enough to be looked at. */
function sixSeconds() {
  const perEpoch = 0.77 * CLASSES.length * 16;
  return Math.min(ENDLESS, Math.max(40, Math.round((6 * made.train.result.images_per_second) / perEpoch)));
}

async function submit(kind, body, headers = {}) {
  return stack.api(`/v1/jobs/${kind}`, { method: "POST", body, headers });
}

async function finished(kind, body) {
  const job = await submit(kind, body, { prefer: "wait=60" });
  assert.ok(job.finished_at, `the ${kind} job ended within a minute`);
  return job;
}

/** Every page there is, the filled ones. */
function pages() {
  return [
    "/", "/jobs", `/jobs/${made.train.id}`, `/jobs/${made.train.id}?tab=logs`, `/jobs/${made.train.id}?tab=attempts`, `/jobs/${made.index.id}?tab=pictures`,
    `/jobs/${made.failed.id}`, `/jobs/${made.search.id}`, `/jobs/${made.evaluate.id}`, "/search", `/search?job=${made.search.id}`, "/models", "/models/shapes", "/models/shapes/compare?a=1&b=1",
    "/indexes", "/indexes/gallery", "/indexes/gallery?tab=evaluations", `/indexes/gallery?tab=evaluations&evaluation=${made.evaluate.id}`, "/sources?source=photos&prefix=train%2F", "/keys", "/nowhere",
  ];
}

/** Looks at every page; two tabs share them, since most of the time is spent waiting. */
async function onEveryPage(visitor, look) {
  const left = pages();
  await Promise.all([1, 2].map(async () => {
    const page = await visitor.newPage();
    for (let path = left.shift(); path !== undefined; path = left.shift()) {
      await open(page, path);
      await look(page, path);
    }
    await page.close();
  }));
}

test("a wrong key is refused, the right one opens the overview, and signing out closes it", async () => {
  const page = await (await browser.visitor()).newPage();
  await page.goto("/jobs");
  await page.getByLabel("Key", { exact: true }).fill("lka_mistyped");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("This key is not valid").waitFor();
  assert.equal(await page.getByRole("navigation").count(), 0, "a refused key shows nothing of the page");

  await page.getByLabel("Key", { exact: true }).fill(stack.key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Jobs", level: 1 }).waitFor();
  assert.deepEqual(await page.evaluate(() => Object.values(localStorage).filter((value) => value.startsWith("lka_"))), [], "the key is not kept");
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Key", { exact: true }).waitFor();
  await page.reload();
  await page.getByLabel("Key", { exact: true }).waitFor();
});

test("a training asked for on the page goes from queued to succeeded before one's eyes", async (t) => {
  t.after(() => stack.api("/v1/queues/train/resume", { method: "POST" }));
  const visitor = await browser.visitor({ key: stack.key });
  const [list, page] = [await visitor.newPage(), await visitor.newPage()];
  await open(page, "/");
  await page.getByRole("button", { name: "Pause train" }).click();
  await page.getByRole("button", { name: "Resume train" }).waitFor();
  await open(list, "/jobs");
  await list.evaluate(() => (window.loadedOnce = true));

  await open(page, "/models");
  await page.getByRole("button", { name: "Train a model" }).click();
  const form = page.getByRole("dialog");
  await form.getByLabel("Model", { exact: true }).fill("fresh");
  await form.getByRole("combobox", { name: "Training pictures" }).click();
  await page.getByRole("option", { name: "photos" }).click();
  await form.getByLabel("Folder").first().fill("train");
  await form.getByRole("combobox", { name: "Network" }).click();
  await page.getByRole("option", { name: "squeezenet1_1" }).click();
  await form.getByRole("button", { name: "Advanced" }).click();
  await form.getByLabel("Epochs", { exact: true }).fill(String(sixSeconds()));
  await form.getByLabel("Picture side, pixels").fill("64");
  await form.getByLabel("Least pictures per class").fill("10");
  await form.getByRole("button", { name: "Start training" }).click();
  await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);

  const row = list.locator(`[data-job="${page.url().split("/").at(-1)}"]`);
  await state(row, "Queued").waitFor();
  await state(page, "Queued").waitFor();
  await stack.api("/v1/queues/train/resume", { method: "POST" });
  await Promise.all([state(row, "Running").waitFor(), state(page, "Running").waitFor()]);

  // At nought its bar has no width yet.
  await page.getByRole("progressbar", { name: "Progress" }).waitFor({ state: "attached" });
  await page.locator("main .recharts-line-curve").first().waitFor();
  const early = await row.getByRole("progressbar").getAttribute("aria-valuenow");
  await list.waitForFunction(([id, before]) => {
    const bar = document.querySelector(`[data-job="${id}"] [role=progressbar]`);
    return bar === null || Number(bar.getAttribute("aria-valuenow")) > Number(before);
  }, [page.url().split("/").at(-1), early]);

  await Promise.all([state(row, "Succeeded").waitFor({ timeout: 60_000 }), state(page, "Succeeded").waitFor({ timeout: 60_000 })]);
  await row.getByText(/^fresh@1, [\d.]+ % accurate$/).waitFor();
  await page.getByText(/^fresh@1, on /).waitFor();
  const curve = await page.locator("main .recharts-line-curve").first().getAttribute("d");
  assert.ok(curve.split(/[CL]/).length > 20, "the curve has a point for each epoch");
  assert.equal(await list.evaluate(() => window.loadedOnce), true, "the list was not loaded again");
});

test("a picture that is chosen finds look-alikes whose pictures are really there", async () => {
  const page = await (await browser.visitor({ key: stack.key })).newPage();
  await open(page, "/search?index=gallery");
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: /^Choose a picture/ }).click();
  await (await chooser).setFiles(picture);
  const hits = page.getByRole("button", { name: /^Open hit/ });
  await hits.first().waitFor();
  await assertPicturesLoad(hits.locator("img"), 20);
  await page.getByText("Recognised as").waitFor();

  await hits.first().click();
  const whole = page.getByRole("dialog").locator("img");
  await whole.waitFor();
  await assertPicturesLoad(whole, 1);
  await page.keyboard.press("ArrowRight");
  await page.getByRole("dialog").getByText("2 of 20").waitFor();
  await page.keyboard.press("Escape");

  await page.reload();
  await hits.first().waitFor();
  assert.equal(await hits.count(), 20, "the address leads to the same answer again");
});

test("a picture that is dropped is searched with, and a file that is none is refused", async () => {
  const page = await (await browser.visitor({ key: stack.key })).newPage();
  await open(page, "/search?index=gallery&k=5");
  const target = page.getByRole("button", { name: /^Choose a picture/ });
  await drop(target, { name: "notes.txt", type: "text/plain", bytes: Buffer.from("no picture") });
  await page.getByText("notes.txt is not a picture.").waitFor();
  await drop(target, { name: "rings.jpg", type: "image/jpeg", bytes: readFileSync(picture) });
  const hits = page.getByRole("button", { name: /^Open hit/ });
  await hits.first().waitFor();
  await assertPicturesLoad(hits.locator("img"), 5);
  const asked = await page.getByRole("img", { name: "The picture that is searched with" }).evaluate((image) => image.decode().then(() => image.naturalWidth));
  assert.ok(asked > 0, "the picture that was dropped is shown");
});

test("a part of the picture can be searched with by keyboard alone, and the hits taken away as a file", async () => {
  const page = await (await browser.visitor({ key: stack.key })).newPage();
  await open(page, "/search?index=gallery&k=5");
  const asked = () => new URL(page.url()).searchParams.get("job");
  await drop(page.getByRole("button", { name: /^Choose a picture/ }), { name: "rings.jpg", type: "image/jpeg", bytes: readFileSync(picture) });
  await page.waitForURL(() => asked() !== null);
  const whole = asked();

  await page.getByRole("button", { name: "Select a part" }).press("Enter");
  const part = page.getByRole("slider", { name: "Part of the picture" });
  await part.press("ArrowRight");
  await part.press("Shift+ArrowDown");
  await page.waitForURL(/crop=0\.22%2C0\.2%2C0\.6%2C0\.62/);
  await page.getByRole("switch", { name: "Show near-duplicates once" }).press("Space");
  await page.waitForURL(/collapse_duplicates=true/);
  await page.getByRole("button", { name: "Search", exact: true }).press("Enter");
  await page.waitForURL(() => asked() !== whole);
  const { params } = await stack.api(`/v1/jobs/${asked()}`);
  assert.deepEqual(params.query, { by: "picture", crop: { x: 0.22, y: 0.2, width: 0.6, height: 0.62 } });
  assert.equal(params.collapse_duplicates, true);

  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "CSV" }).press("Enter");
  const hits = readFileSync(await (await download).path(), "utf8").trim().split("\n");
  assert.ok(hits.length > 1 && hits[0].startsWith("rank,"), `a heading and hits: ${hits[0]}`);
});

test("an evaluation opens from its index, and its worst queries are shown with what was found", async () => {
  const page = await (await browser.visitor({ key: stack.key })).newPage();
  await open(page, "/indexes/gallery");
  await page.getByRole("tab", { name: "Evaluations" }).click();
  await page.getByRole("table", { name: "Evaluations" }).getByRole("link").last().click();
  await page.getByRole("table", { name: "Settings" }).getByText("asked for").waitFor();
  const first = page.getByRole("list", { name: /^First hits of / }).first();
  await assertPicturesLoad(first.locator("img"), 5);
  assert.match(await first.getByRole("listitem").first().innerText(), /\n(right|wrong)$/);
  await assertPicturesLoad(page.getByRole("img", { name: /^Query, / }).first(), 1);
  await page.getByRole("link", { name: "All evaluations" }).click();
  await page.getByRole("table", { name: "Evaluations" }).waitFor();
});

test("a folder that is uploaded can be looked at, checked for training and deleted", async () => {
  const page = await (await browser.visitor({ key: stack.key })).newPage();
  await open(page, "/sources?source=uploads");
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  const form = page.getByRole("dialog");
  await form.getByLabel("Set").fill("mine");
  const chooser = page.waitForEvent("filechooser");
  await form.getByRole("button", { name: "Choose a folder" }).click();
  await (await chooser).setFiles(join(stack.pictures, "queries"));
  await form.getByText(/^6 pictures, .*, in 3 folders$/).waitFor();
  await form.getByRole("button", { name: "Upload" }).click();
  await page.getByText("6 pictures stored in mine.").waitFor();
  for (const name of CLASSES) await page.getByRole("button", { name }).waitFor();

  await page.getByRole("button", { name: "Check for training" }).click();
  await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);
  await state(page, "Succeeded").waitFor();
  await page.getByText("Readable pictures by class, the smallest first").waitFor();

  await page.goBack();
  await page.getByRole("button", { name: "Delete the set mine" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete the set" }).click();
  await page.getByText("Nothing is here").waitFor();
});

test("a running job is paused and resumed from its page, and paused jobs are told apart in the list", async () => {
  const job = await submit("train", { model: "endless", ...RECIPE, epochs: ENDLESS });
  const page = await (await browser.visitor({ key: stack.key })).newPage();
  await open(page, `/jobs/${job.id}`);
  await state(page, "Running").waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await state(page, "Paused").waitFor();
  const { state: stored, paused, attempt } = await stack.api(`/v1/jobs/${job.id}`);
  assert.deepEqual([stored, paused, attempt], ["queued", true, 0]);
  await page.getByRole("button", { name: "Resume" }).click();
  await state(page, "Running").waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await state(page, "Paused").waitFor();
  await open(page, "/jobs");
  await state(page.locator(`[data-job="${job.id}"]`), "Paused").waitFor();
  await stack.api(`/v1/jobs/${job.id}/cancel`, { method: "POST" });
});

test("a running job is cancelled from its page, and sent back to its queue from there", async () => {
  const job = await submit("train", { model: "endless", ...RECIPE, epochs: ENDLESS });
  const page = await (await browser.visitor({ key: stack.key })).newPage();
  await open(page, `/jobs/${job.id}`);
  await state(page, "Running").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await state(page, "Cancelled").waitFor();
  assert.equal((await stack.api(`/v1/jobs/${job.id}`)).state, "cancelled");
  assert.ok(await page.getByRole("button", { name: "Cancel" }).isDisabled(), "a job that has ended cannot be cancelled");

  await page.getByRole("button", { name: "Retry" }).click();
  await state(page, "Running").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await state(page, "Cancelled").waitFor();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete the job" }).click();
  await page.waitForURL(/\/jobs$/);
  await page.locator("[data-job]").first().waitFor();
  assert.equal(await page.locator(`[data-job="${job.id}"]`).count(), 0);
});

test("the keyboard alone signs in, finds a job, acts in a dialog and comes back", async () => {
  const page = await (await browser.visitor()).newPage();
  await page.goto("/");
  await page.getByLabel("Key", { exact: true }).waitFor();
  await page.keyboard.type(stack.key);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();

  await page.keyboard.press("Tab");
  await page.waitForFunction(() => document.activeElement?.textContent === "To the content");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.id === "content");

  await tabTo(page, "Jobs", { backwards: true });
  await page.keyboard.press("Enter");
  await page.locator("[data-job]").first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const second = page.locator("[data-job]").nth(1);
  assert.ok(await second.evaluate((row) => row === document.activeElement), "j goes down the rows");
  await page.keyboard.press("x");
  await page.getByRole("toolbar", { name: "Selected jobs" }).getByText("1 selected").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("toolbar", { name: "Selected jobs" }).waitFor({ state: "hidden" });
  const id = await second.getAttribute("data-job");
  await page.keyboard.press("Enter");
  await page.waitForURL(new RegExp(`/jobs/${id}$`));

  await tabTo(page, "Delete");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  await page.waitForFunction(() => document.activeElement?.textContent === "Go back");
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "hidden" });
  assert.equal((await stack.api(`/v1/jobs/${id}`)).id, id, "going back deletes nothing");
});

test("a key that may only read finds nothing enabled that changes anything", async (t) => {
  const { key } = await stack.api("/v1/keys", { method: "POST", body: { name: "reader", scope: "read" } });
  const running = await submit("train", { model: "watched", ...RECIPE, epochs: ENDLESS });
  t.after(() => stack.api(`/v1/jobs/${running.id}/cancel`, { method: "POST" }));
  const page = await (await browser.visitor({ key, expected: [/^403 GET \/v1\/keys$/] })).newPage();

  await open(page, "/");
  await assertDisabled(page, "Pause search", "Pause index", "Pause train", "Pause maintenance");
  assert.equal(await page.getByRole("link", { name: "Keys" }).count(), 0);
  for (const { id } of [running, made.failed, made.train]) {
    await open(page, `/jobs/${id}`);
    await assertDisabled(page, "Cancel", "Retry", "Delete");
  }
  await open(page, "/jobs");
  await assertDisabled(page, "New job");
  await page.getByRole("checkbox").nth(1).check();
  assert.equal(await page.getByRole("toolbar").count(), 0, "nothing is offered for picked jobs");
  await open(page, "/models");
  await assertDisabled(page, "Train a model");
  await open(page, "/models/shapes");
  await assertDisabled(page, "Make default", "Delete");
  await open(page, "/sources?source=uploads");
  await assertDisabled(page, "Upload");
  await open(page, "/indexes");
  await assertDisabled(page, "Fill an index");
  await open(page, "/indexes/gallery");
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("menuitem").first().waitFor();
  for (const item of await page.getByRole("menuitem").all()) assert.ok(await item.isDisabled(), `${await item.textContent()} is disabled`);
  await page.goto("/keys");
  await page.getByRole("alert").waitFor();
  await assertRefused(page, running.id);
});

/** What the page does not offer, the server refuses as well. */
async function assertRefused(page, id) {
  const answer = await page.context().request.post(`/v1/jobs/${id}/cancel`);
  assert.equal(answer.status(), 403);
}

test("no page is wider than a phone, and its navigation opens and closes", async () => {
  const visitor = await browser.visitor({ key: stack.key, viewport: PHONE });
  await onEveryPage(visitor, async (page, path) => {
    const wide = await page.evaluate((width) => {
      const scrolls = ".mantine-ScrollArea-viewport, [role=tablist]";
      const over = [...document.querySelectorAll("main *")]
        .filter((each) => each.getBoundingClientRect().right > width + 1 && each.closest(scrolls) === null);
      return { page: document.documentElement.scrollWidth, over: over.slice(0, 3).map((each) => each.outerHTML.slice(0, 120)) };
    }, PHONE.width);
    assert.ok(wide.page <= PHONE.width, `${path} is ${wide.page} px wide`);
    assert.deepEqual(wide.over, [], `${path} has something beyond its right edge`);
  });
  const page = await visitor.newPage();
  await open(page, "/");
  await page.getByRole("button", { name: "Navigation", exact: true }).click();
  await page.getByRole("link", { name: "Models" }).click();
  await page.getByRole("heading", { name: "Models", level: 1 }).waitFor();
  await page.waitForFunction(() => document.querySelector("nav")?.getBoundingClientRect().right <= 0);
});

test("the colours follow the system until the switch says otherwise, and the choice is kept", async () => {
  const page = await (await browser.visitor({ key: stack.key, colorScheme: "dark" })).newPage();
  await open(page, "/models");
  const dark = await colours(page);
  assert.ok(dark.canvas < 60 && dark.text > 180, `dark as the system: ${JSON.stringify(dark)}`);
  await page.emulateMedia({ colorScheme: "light" });
  await page.waitForFunction(() => document.documentElement.dataset.mantineColorScheme === "light");
  const light = await colours(page);
  assert.ok(light.canvas > 200 && light.text < 80, `light as the system: ${JSON.stringify(light)}`);
  assert.notEqual(dark.chosen, light.chosen, "the entry of the open page has a colour of its own in each scheme");
  for (const { chosen } of [dark, light]) assert.doesNotMatch(chosen, /^rgba\(0, 0, 0, 0\)$/, "the entry of the open page stands out");

  await page.getByRole("radiogroup", { name: "Colour scheme" }).getByTitle("Dark").click();
  await page.waitForFunction(() => document.documentElement.dataset.mantineColorScheme === "dark");
  await page.reload();
  await page.getByRole("heading", { name: "Models", level: 1 }).waitFor();
  assert.deepEqual(await colours(page), dark);
});

test("everything that can be used has a name", async () => {
  const nameless = /^\s*- (button|link|textbox|combobox|checkbox|slider|radio|tab|switch|searchbox|spinbutton|progressbar|menuitem)(?= \[|:|$)(?!.* ")/;
  const visitor = await browser.visitor({ key: stack.key });
  await onEveryPage(visitor, async (page, path) => {
    const snapshot = await page.locator("body").ariaSnapshot();
    assert.deepEqual(snapshot.split("\n").filter((line) => nameless.test(line)), [], path);
    const unnamed = await page.locator("img:not([alt])").count();
    assert.equal(unnamed, 0, `${path} has pictures without a text`);
  });
  const page = await visitor.newPage();
  await open(page, "/models");
  await page.getByRole("button", { name: "Train a model" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Advanced" }).click();
  const form = await page.getByRole("dialog").ariaSnapshot();
  assert.deepEqual(form.split("\n").filter((line) => nameless.test(line)), []);
});

test("a server that cannot be reached is said to be, and is asked again", async () => {
  const visitor = await browser.visitor({ key: stack.key, expected: [/^net::ERR_/] });
  const page = await visitor.newPage();
  await open(page, "/indexes");
  await visitor.route("**/v1/models*", (route) => route.abort("connectionrefused"));
  await page.getByRole("link", { name: "Models" }).click();
  await page.getByRole("alert").getByText("The server cannot be reached").waitFor();
  await visitor.unroute("**/v1/models*");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("link", { name: /^shapes/ }).waitFor();
});

test("the overview tells of the queues and the worker as they are, and goes on telling", async () => {
  const page = await (await browser.visitor({ key: stack.key })).newPage();
  await open(page, "/");
  for (const name of ["Waiting jobs by queue over time", "Finished jobs per minute over time"]) {
    await page.getByRole("img", { name }).locator(".recharts-area").first().waitFor({ state: "attached" });
  }
  for (const name of [/^Utilisation of /, /^Memory of /]) await page.getByRole("img", { name }).locator(".recharts-area-curve").first().waitFor();
  const shape = () => page.getByRole("img", { name: /^Utilisation of / }).locator(".recharts-area-curve").first().getAttribute("d");
  const first = await shape();
  const before = Number(await page.getByRole("link", { name: /^Succeeded/ }).locator("[title]").getAttribute("title"));
  await finished("search", { index: "gallery", k: 1, source: "photos", key: "queries/stripes/000.jpg" });
  await page.getByRole("link", { name: /^Succeeded/ }).locator(`[title="${before + 1}"]`).waitFor();
  await page.waitForFunction((known) => document.querySelector('[aria-label^="Utilisation of "] .recharts-area-curve')?.getAttribute("d") !== known, first);
});

test("nothing failed, was blocked or was reported as an error in all of this", () => {
  assert.deepEqual(browser.mishaps, []);
});
