// What the mock does to generations of an index: measures, activates and drops them.
import type { EvaluateResult, IndexDetail } from "../../src/api/types.ts";
import { CLASSES, indexes } from "./library.ts";
import { problem, type Reply } from "./plugin.ts";

export interface Asked {
  index: string;
  source: string;
  prefix: string;
  k?: number[];
  generation?: number;
}

const VAL = { source: "photos", prefix: "val/", k: [1, 5, 10], probes: "auto" };

/** Evaluations of the past: of two measured alike, of one measured otherwise, and of one that could not be. */
export const EVALUATED: { params: Asked; hours: number; failed?: boolean }[] = [
  { params: { ...VAL, index: "gallery", source: "archive", prefix: "test/", generation: 3 }, hours: 390 },
  { params: { ...VAL, index: "gallery", generation: 5 }, hours: 2.4 },
  { params: { ...VAL, index: "gallery", generation: 4 }, hours: 2.5 },
  { params: { ...VAL, index: "products", generation: 8 }, hours: 60 },
  { params: { ...VAL, index: "products", generation: 9 }, hours: 1, failed: true },
];

/** What an evaluation of that generation measures: later ones are a little better, but not of every class. */
export function evaluated(params: unknown): EvaluateResult & { index: string } {
  const asked = { index: "gallery", k: VAL.k, ...(params as Partial<Asked> | undefined) };
  const index = indexes.find(({ name }) => name === asked.index);
  const generation = asked.generation ?? index?.generation ?? 1;
  const model = index?.generations.find(({ id }) => id === generation)?.model ?? "scenes@2";
  const base = 0.86 + (generation % 6) * 0.018;
  const at = (from: number) => Object.fromEntries(asked.k.map((k) => [k, from - k * 0.0024]));
  const map_by = { embedding: base - 0.056, probabilities: base - 0.02 - generation * 0.02 };
  const both = (from: number, by: number) => ({ embedding: at(from), probabilities: at(from - by) });
  const per_class = CLASSES.map((name, place) => {
    const own = Math.min(0.995, base + 0.045 * Math.sin(place * 2.3 + generation * 0.9));
    return { class: name, queries: 100, accuracy: own - 0.01, recall_at: both(0.01, 0.001), map_by: { embedding: own - 0.05, probabilities: own - 0.07 }, precision_at: { embedding: at(own), probabilities: at(own - 0.03) }, map: own - 0.05 };
  });
  const looked: [string | number, number, number, number][] = [
    ["auto", 1.34, 17_900, 0.991],
    [1, 1, 13_200, 0.962],
    [2, 2, 26_100, 0.983],
    [3, 3, 39_900, 0.991],
    [0.8, 1.11, 14_800, 0.975],
    [0.99, 1.9, 25_000, 0.996],
    ["all", 20, 243_000, 1],
  ];
  const recall = (share: number) => Object.fromEntries(asked.k.map((k) => [k, k * share]));
  const settings = looked.map(([probes, partitions_probed, entries_scanned, kept], place) => ({
    probes,
    partitions_probed,
    entries_scanned,
    routing_recall: { embedding: kept, probabilities: kept - 0.01 },
    precision_at: both(base - place * 0.002, 0.03),
    recall_at: { embedding: recall(0.0008), probabilities: recall(0.0007) },
    map_by,
  }));
  const name = (place: number) => CLASSES[place % CLASSES.length] ?? "";
  const ofIndex = `/v1/indexes/${asked.index}`;
  const worst = Array.from({ length: 20 }, (_, place) => ({
    uri: `photos/val/${name(place).replace(" ", "_")}/IMG_${2_040 + place}.jpg`,
    class: name(place),
    predicted: name(place * 7),
    average_precision: place * 0.02,
    thumbnail: place === 2 ? null : `${ofIndex}/evaluations/x/queries/${place}-${place}/thumbnail`,
    hits: Array.from({ length: 5 }, (_, hit) => {
      const found = hit === 2 ? place : (place + hit + 3) % CLASSES.length;
      const thumbnail = `${ofIndex}/entries/${found}-${hit}/thumbnail`;
      return { entry_id: `${place}-${hit}`, uri: `photos/gallery/x/IMG_${hit}.jpg`, class: name(found), right: hit === 2, thumbnail };
    }),
  }));
  const more = { failed: 2, probes: "auto", source: asked.source ?? "photos", prefix: asked.prefix ?? "val/", settings, worst, recall_at: settings[0]?.recall_at };
  return {
    ...more, index: asked.index, generation, model, queries: CLASSES.length * 100, accuracy: base - 0.012, precision_at: { embedding: at(base), probabilities: at(base - generation * 0.02) },
    map: map_by.embedding, map_by, routing_recall: 0.991, partitions_probed: 1.34, per_class,
  };
}

export function activated(name: string | undefined, wanted: number): Reply {
  const index = indexes.find((each) => each.name === name);
  const chosen = index?.generations.find(({ id }) => id === wanted);
  if (index === undefined || chosen === undefined) return problem(422, "invalid_request", `index "${name ?? ""}" has no generation ${wanted}`);
  for (const each of index.generations) if (each.state === "active") each.state = "retired";
  Object.assign(chosen, { state: "active", activated_at: new Date().toISOString() });
  Object.assign(index, { generation: chosen.id, model: chosen.model, entries: chosen.entries });
  return { body: index };
}

export function dropped(name: string | undefined, id: string | undefined): Reply {
  const index: IndexDetail | undefined = indexes.find((each) => each.name === name);
  const place = index?.generations.findIndex((each) => String(each.id) === id) ?? -1;
  if (index === undefined || place < 0) return problem(404, "not_found", "there is no such generation");
  index.generations.splice(place, 1);
  return { status: 204 };
}
