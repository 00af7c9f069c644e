import { describe, expect, it } from "vitest";
import { searchOf, searchParams } from "./params";
import { searchForm } from "./queries";
import { spent } from "./timings";

describe("a search's URL", () => {
  it("keeps what is in bounds and leaves out defaults", () => {
    expect(searchParams({ index: "gallery", k: "50", rank_by: "embedding", probes: "3", min: "0.4", entry: "e" })).toEqual({
      index: "gallery", k: 50, rank_by: undefined, probes: "3", min: 0.4, entry: "e", object: undefined, job: undefined,
    });
    expect(searchParams({ k: 0, probes: "some", min: 2 })).toMatchObject({ k: undefined, probes: undefined, min: undefined });
  });
});

describe("a job that has searched", () => {
  it("is told as a URL, its defaults left out", () => {
    const asked = { index: "gallery", k: 20, probes: "auto", rank_by: "probabilities", query: { by: "object", source: "photos", key: "a/b.jpg" } };
    expect(searchOf("j1", asked)).toEqual({
      index: "gallery", k: undefined, rank_by: "probabilities", probes: undefined, min: undefined, entry: undefined, object: "photos/a/b.jpg", job: "j1",
    });
    expect(searchOf("j1", { index: "gallery", k: 5, query: { by: "entry", entry_id: "e1" } })).toMatchObject({ k: 5, entry: "e1", object: undefined });
  });
});

describe("a search's form", () => {
  it("carries a picture with its options", () => {
    const picture = new File(["x"], "cat.jpg", { type: "image/jpeg" });
    const form = searchForm({ index: "gallery", options: { rank_by: "probabilities", min: 0.3 }, by: { picture } });
    expect(Object.fromEntries([...form].filter(([name]) => name !== "image"))).toEqual({
      index: "gallery", k: "20", probes: "auto", rank_by: "probabilities", min_similarity: "0.3",
    });
    expect(form.get("image")).toBeInstanceOf(File);
  });

  it("carries an entry instead of a picture", () => {
    const form = searchForm({ index: "gallery", options: {}, by: { entry: "e1" } });
    expect([form.get("entry_id"), form.has("image")]).toEqual(["e1", false]);
    const other = searchForm({ index: "gallery", options: {}, by: { object: "photos/a/b.jpg" } });
    expect([other.get("source"), other.get("key"), other.has("entry_id")]).toEqual(["photos", "a/b.jpg", false]);
  });
});

describe("where the time went", () => {
  it("adds what is not explained", () => {
    const parts = spent({ queued: 1, decode: 2, forward: 5, total: 10 });
    expect(parts.map(({ name, share }) => [name, share])).toEqual([["queued", 0.1], ["decode", 0.2], ["forward", 0.5], ["other", 0.2]]);
  });

  it("never exceeds the whole", () => {
    const sum = spent({ queued: 3, forward: 9, total: 10 }).reduce((total, { share }) => total + share, 0);
    expect(sum).toBeCloseTo(1);
  });
});
