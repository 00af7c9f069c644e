// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Crop } from "~/api/types";
import { CropArea } from "./CropArea";

const told: (Crop | null)[] = [];
const PART: Crop = { x: 0.25, y: 0.25, width: 0.5, height: 0.5 };

beforeEach(() => {
  told.length = 0;
  vi.spyOn(HTMLElement.prototype, "getBoundingClientRect").mockReturnValue(new DOMRect(0, 0, 200, 100));
  vi.spyOn(HTMLElement.prototype, "setPointerCapture").mockReturnValue();
});

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

function Area({ first }: { first: Crop | null }) {
  const [crop, setCrop] = useState(first);
  const take = (next: Crop | null) => {
    told.push(next);
    setCrop(next);
  };
  return <CropArea src="/a.jpg" alt="picture" crop={crop} focus={false} onCrop={take} onBroken={() => undefined} />;
}

/** Goes from one place to another, in pixels of a picture of 200 x 100. */
function drag(target: Element, from: [number, number], to: [number, number], pointerType = "mouse") {
  fireEvent.pointerDown(target, { button: 0, pointerId: 1, pointerType, clientX: from[0], clientY: from[1] });
  fireEvent.pointerMove(target, { pointerId: 1, pointerType, clientX: to[0], clientY: to[1] });
  fireEvent.pointerUp(target, { pointerId: 1, pointerType, clientX: to[0], clientY: to[1] });
}

it("takes the part that is drawn, told once it is let go", () => {
  render(<Area first={null} />);
  drag(screen.getByAltText("picture"), [20, 10], [120, 60]);
  expect(told).toEqual([{ x: 0.1, y: 0.1, width: 0.5, height: 0.5 }]);
  expect(screen.getByRole("slider", { name: "Part of the picture" }).getAttribute("aria-valuetext")).toBe("50 % wide and 50 % high, 10 % from the left and 10 % from the top");
});

it("takes a click for no part, and a finger for scrolling until there is one", () => {
  const { rerender } = render(<Area first={null} />);
  drag(screen.getByAltText("picture"), [20, 10], [22, 11]);
  drag(screen.getByAltText("picture"), [20, 10], [120, 60], "touch");
  expect(told).toEqual([]);
  rerender(<Area key="other" first={PART} />);
  drag(screen.getByAltText("picture"), [0, 0], [100, 50], "touch");
  expect(told).toEqual([{ x: 0, y: 0, width: 0.5, height: 0.5 }]);
});

it("moves the part, and pulls its corners", () => {
  render(<Area first={PART} />);
  drag(screen.getByRole("slider"), [100, 50], [120, 40]);
  expect(told.at(-1)).toEqual({ ...PART, x: 0.35, y: 0.15 });
  const corner = screen.getByRole("slider").querySelector("[data-corner=nw]");
  if (corner !== null) drag(corner, [70, 15], [20, 5]);
  expect(told.at(-1)).toEqual({ x: 0.1, y: 0.05, width: 0.75, height: 0.6 });
});

it("goes by the arrow keys, told when the key is let go, and is given up with Escape", () => {
  render(<Area first={PART} />);
  const part = screen.getByRole("slider");
  fireEvent.keyDown(part, { key: "ArrowLeft" });
  fireEvent.keyDown(part, { key: "ArrowDown", shiftKey: true });
  expect(told).toEqual([]);
  fireEvent.keyUp(part, { key: "ArrowDown" });
  expect(told).toEqual([{ x: 0.23, y: 0.25, width: 0.5, height: 0.52 }]);
  fireEvent.keyDown(part, { key: "Escape" });
  expect(told.at(-1)).toBeNull();
  expect(screen.queryByRole("slider")).toBeNull();
});
