import { describe, expect, it } from "vitest";
import { cropOf, searchOf, searchParams, written } from "./params";
import { searchForm } from "./queries";
import { spent } from "./timings";

describe("a search's URL", () => {
  it("keeps what is in bounds and leaves out defaults", () => {
    expect(searchParams({ index: "gallery", k: "50", rank_by: "embedding", probes: "3", min: "0.4", entry: "e" })).toEqual({
      index: "gallery", k: 50, rank_by: undefined, probes: "3", min: 0.4, entry: "e", object: undefined, job: undefined,
    });
    expect(searchParams({ k: 0, probes: "some", min: 2 })).toMatchObject({ k: undefined, probes: undefined, min: undefined });
    expect(searchParams({ uri_prefix: "photos/2024/", collapse_duplicates: true })).toMatchObject({ uri_prefix: "photos/2024/", collapse_duplicates: true });
    expect(searchParams({ uri_prefix: "", collapse_duplicates: false, crop: "all" })).toEqual({});
  });

  it("takes a probability for the classes that are looked into", () => {
    expect([0.8, "0.8", 0.800000011920929, 1, 0, -1].map((probes) => searchParams({ probes }).probes)).toEqual(["0.8", "0.8", "0.8", "1", undefined, undefined]);
  });

  it("tells the part of the picture, when it lies in one", () => {
    const part = { x: 0.25, y: 0.1, width: 0.5, height: 0.9 };
    expect(written(part)).toBe("0.25,0.1,0.5,0.9");
    expect(cropOf("0.25,0.1,0.5,0.9")).toEqual(part);
    expect(["", "0,0,1", "0,0,1,1,1", "0,0,0,1", "0.5,0,0.6,1", "-0.1,0,0.5,1", "a,b,c,d", 7, undefined].map(cropOf)).toEqual(Array(9).fill(null));
  });
});

describe("a job that has searched", () => {
  it("is told as a URL, its defaults left out", () => {
    const asked = { index: "gallery", k: 20, probes: "auto", rank_by: "probabilities", query: { by: "object", source: "photos", key: "a/b.jpg" } };
    expect(searchOf("j1", asked)).toEqual({
      index: "gallery", k: undefined, rank_by: "probabilities", probes: undefined, min: undefined, entry: undefined, object: "photos/a/b.jpg", job: "j1",
    });
    expect(searchOf("j1", { index: "gallery", k: 5, query: { by: "entry", entry_id: "e1" } })).toMatchObject({ k: 5, entry: "e1", object: undefined });
    const partly = { index: "gallery", probes: 0.800000011920929, query: { by: "picture", crop: { x: 0, y: 0.5, width: 1, height: 0.5 } }, filter: { uri_prefix: "photos/" }, collapse_duplicates: true };
    expect(searchOf("j1", partly)).toMatchObject({ probes: "0.8", crop: "0,0.5,1,0.5", uri_prefix: "photos/", collapse_duplicates: true });
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

  it("carries the part and what hits must be as JSON", () => {
    const options = { crop: "0.25,0.1,0.5,0.6", uri_prefix: "photos/2024/", collapse_duplicates: true as const, probes: "0.8" };
    const form = searchForm({ index: "gallery", options, by: { object: "photos/a.jpg" } });
    expect(Object.fromEntries(form)).toMatchObject({
      crop: JSON.stringify({ x: 0.25, y: 0.1, width: 0.5, height: 0.6 }), filter: JSON.stringify({ uri_prefix: "photos/2024/" }), collapse_duplicates: "true", probes: "0.8",
    });
    const plain = searchForm({ index: "gallery", options: {}, by: { object: "photos/a.jpg" } });
    expect(["crop", "filter", "collapse_duplicates"].filter((name) => plain.has(name))).toEqual([]);
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
