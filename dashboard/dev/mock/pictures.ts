// Pictures for the mock: those of a folder with one folder per class when MOCK_PICTURES names one, drawn
// ones otherwise.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CLASSES } from "./library.ts";

const folder = process.env.MOCK_PICTURES;
const folders = folder === undefined ? [] : readdirSync(folder, { withFileTypes: true }).filter((each) => each.isDirectory()).map(({ name }) => name).sort();

/** The picture of an entry `<class number>-<number>…`, and its media type. */
export function picture(entry: string): { type: string; body: Buffer | string } {
  const [classText = "0", numberText = "0"] = entry.split("-");
  const [classNumber, number] = [Number(classText), Number(numberText)];
  const name = folders[classNumber % Math.max(1, folders.length)];
  if (folder !== undefined && name !== undefined) {
    const files = readdirSync(join(folder, name));
    return { type: "image/jpeg", body: readFileSync(join(folder, name, files[number % files.length] ?? "")) };
  }
  return { type: "image/svg+xml", body: drawn(classNumber, number) };
}

function drawn(classNumber: number, number: number): string {
  const hue = (classNumber * 360) / CLASSES.length;
  const turn = (number * 47) % 360;
  const size = 46 + (number % 30);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 160"><defs><linearGradient id="g" gradientTransform="rotate(${turn} .5 .5)">
    <stop stop-color="hsl(${hue} 62% 78%)"/><stop offset="1" stop-color="hsl(${hue + 36} 55% 42%)"/></linearGradient></defs>
    <rect width="160" height="160" fill="url(#g)"/><circle cx="${40 + (number % 80)}" cy="${50 + (turn % 60)}" r="${size}" fill="hsl(${hue + 180} 60% 88% / .5)"/>
    <rect x="${60 + (turn % 40)}" y="84" width="62" height="62" rx="${8 + (classNumber % 5) * 6}" fill="hsl(${hue - 30} 60% 30% / .55)"/></svg>`;
}
