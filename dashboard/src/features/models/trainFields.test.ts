import { describe, expect, it } from "vitest";
import openapi from "../../../openapi.json";
import { CHOICES, NUMBERS } from "./trainFields";

type Fields = Record<string, { default?: unknown }>;
const { TrainSubmission, Augment } = openapi.components.schemas;

/** What the server takes when a field is left out. */
function taken(pointer: string): unknown {
  const [field, part] = pointer.slice(1).split("/") as [string, string?];
  const fields = (field === "augment" ? Augment : TrainSubmission).properties as Fields;
  return fields[field === "augment" && part ? part : field]?.default;
}

describe("the placeholders of a training's fields", () => {
  it("are what the server takes", () => {
    const options = [...NUMBERS, ...CHOICES].map(({ pointer, fallback }) => ({ pointer, fallback, taken: taken(pointer) }));
    const known = options.filter(({ taken }) => taken !== undefined && taken !== "auto" && taken !== 0);
    expect(known.length).toBeGreaterThan(10);
    expect(known.map(({ pointer, fallback }) => [pointer, fallback])).toEqual(known.map(({ pointer, taken }) => [pointer, String(taken)]));
  });
});
