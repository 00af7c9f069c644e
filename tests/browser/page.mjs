// What tests do on a page, and what they look at.
import assert from "node:assert/strict";

/** Opens a page and waits until nothing on it is still loading. */
export async function open(page, path) {
  await page.goto(path);
  await page.getByRole("heading", { level: 1 }).or(page.getByText("There is no such page")).first().waitFor();
  await page.waitForFunction(() => document.querySelector("[aria-busy=true], .mantine-Skeleton-root") === null);
}

/** A badge or line that says exactly `name`, the first one within `scope`. */
export function state(scope, name) {
  return scope.getByText(name, { exact: true }).first();
}

/** Drops a file on `target`, as from another window. */
export async function drop(target, { name, type, bytes }) {
  const dataTransfer = await target.page().evaluateHandle(([name, type, base64]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0))], name, { type }));
    return transfer;
  }, [name, type, bytes.toString("base64")]);
  await target.dispatchEvent("dragover", { dataTransfer });
  await target.dispatchEvent("drop", { dataTransfer });
}

/** Every one of `images` has arrived and can be decoded. */
export async function assertPicturesLoad(images, expected) {
  assert.equal(await images.count(), expected);
  for (const image of await images.all()) {
    await image.scrollIntoViewIfNeeded();
    const width = await image.evaluate((each) => each.decode().then(() => each.naturalWidth));
    assert.ok(width > 0, `${await image.getAttribute("src")} is a picture`);
  }
}

/** Goes on with Tab until what has the focus is called `name`; its focus must be visible. */
export async function tabTo(page, name, { backwards = false } = {}) {
  for (let steps = 0; steps < 60; steps += 1) {
    await page.keyboard.press(backwards ? "Shift+Tab" : "Tab");
    const focus = await page.evaluate(() => {
      const { activeElement: at } = document;
      const style = at && getComputedStyle(at);
      return { name: at?.getAttribute("aria-label") ?? at?.textContent ?? "", outline: style?.outlineStyle, width: parseFloat(style?.outlineWidth ?? "0") };
    });
    if (!focus.name.startsWith(name)) continue;
    assert.ok(focus.outline !== "none" && focus.width > 0, `the focus on ${name} can be seen`);
    return;
  }
  assert.fail(`no ${name} within 60 steps of Tab`);
}

/** The buttons called `names` are there and cannot be used. */
export async function assertDisabled(page, ...names) {
  for (const name of names) assert.ok(await page.getByRole("button", { name, exact: true }).isDisabled(), `${name} is disabled`);
}

/** How bright the page and its text are, 0 to 255, and the background of the navigation's chosen entry. */
export async function colours(page) {
  return page.evaluate(() => {
    const brightness = (colour) => {
      const [red, green, blue] = colour.match(/[\d.]+/g).map(Number);
      return Math.round(0.3 * red + 0.59 * green + 0.11 * blue);
    };
    const of = (selector) => getComputedStyle(document.querySelector(selector));
    return { canvas: brightness(of("main").backgroundColor), text: brightness(of("h1").color), chosen: of("nav [aria-current=page]").backgroundColor };
  });
}
