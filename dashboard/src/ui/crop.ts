// A part of a picture, in shares of its width and height from the upper left corner: drawing it between two points,
// moving it and resizing it. It never leaves the picture, and never becomes too small to take hold of.
import type { Crop } from "~/api/types";

export interface Point {
  x: number;
  y: number;
}

export const CORNERS = ["nw", "ne", "sw", "se"] as const;
export type Corner = (typeof CORNERS)[number];

/** The least share of a side. */
const LEAST = 0.04;

/** What is taken first, for those who do not draw. */
export const MIDDLE: Crop = { x: 0.2, y: 0.2, width: 0.6, height: 0.6 };

/** The part with these two opposite corners. */
export function drawn(one: Point, other: Point): Crop {
  const [x, width] = side(one.x, other.x);
  const [y, height] = side(one.y, other.y);
  return rounded({ x, y, width, height });
}

export function moved(crop: Crop, by: Point): Crop {
  return rounded({ ...crop, x: within(crop.x + by.x, 1 - crop.width), y: within(crop.y + by.y, 1 - crop.height) });
}

/** The part with one corner elsewhere; the opposite corner stays. */
export function resized(crop: Crop, corner: Corner, to: Point): Crop {
  const [right, bottom] = [crop.x + crop.width, crop.y + crop.height];
  const [x, width] = corner.endsWith("w") ? upTo(right, to.x) : onFrom(crop.x, to.x);
  const [y, height] = corner.startsWith("n") ? upTo(bottom, to.y) : onFrom(crop.y, to.y);
  return rounded({ x, y, width, height });
}

/** The part with its lower right corner moved. */
export function grown(crop: Crop, by: Point): Crop {
  return resized(crop, "se", { x: crop.x + crop.width + by.x, y: crop.y + crop.height + by.y });
}

export function isSame(a: Crop | null, b: Crop | null): boolean {
  if (a === null || b === null) return a === b;
  return a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height;
}

/** A side between two ends, as where it begins and how long it is. */
function side(one: number, other: number): [from: number, length: number] {
  const [a, b] = [within(one, 1), within(other, 1)];
  const length = Math.max(LEAST, Math.abs(b - a));
  return [Math.min(a, b, 1 - length), length];
}

function upTo(end: number, from: number): [from: number, length: number] {
  const begin = within(from, Math.max(0, end - LEAST));
  return [begin, end - begin];
}

function onFrom(begin: number, to: number): [from: number, length: number] {
  return [begin, Math.min(1 - begin, Math.max(LEAST, to - begin))];
}

function within(value: number, most: number): number {
  return Math.min(Math.max(0, value), most);
}

/** Four decimals are less than a pixel; what is rounded still ends within the picture. */
function rounded({ x, y, width, height }: Crop): Crop {
  const [left, top] = [tenThousandths(x), tenThousandths(y)];
  return { x: left, y: top, width: tenThousandths(Math.min(width, 1 - left)), height: tenThousandths(Math.min(height, 1 - top)) };
}

function tenThousandths(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

/** Where the part is and how large, in words. */
export function told({ x, y, width, height }: Crop): string {
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  return `${percent(width)} wide and ${percent(height)} high, ${percent(x)} from the left and ${percent(y)} from the top`;
}
