// What the mock knows of pictures, models, indexes, sources and keys. None of it changes.
import { readdirSync } from "node:fs";
import type {
  Confusion, Entry, Generation, IndexDetail, Key, ModelVersion, RankBy, SearchResult, Source, SourceObject, SourceTest,
} from "../../src/api/types.ts";
import { between, chance, id, whole } from "./chance.ts";

const DRAWN = [
  "arch bridge", "banana", "bullet train", "butterfly", "candle", "espresso", "goldfish", "guitar", "lakeside", "lemon",
  "mushroom", "orange", "penguin", "pizza", "school bus", "sunglasses", "tabby cat", "teapot", "tractor", "volcano",
];
/** The classes; those of the folder that MOCK_PICTURES names, when it does. */
export const CLASSES = process.env.MOCK_PICTURES === undefined ? DRAWN : readdirSync(process.env.MOCK_PICTURES).sort();
const NOW = Date.now();

function ago(hours: number): string {
  return new Date(NOW - hours * 3_600_000).toISOString();
}

const hardest = Array.from({ length: 12 }, (_, place) => ({
  uri: `photos/val/${(CLASSES[place] ?? "").replace(" ", "_")}/IMG_${2_040 + place}.jpg`, class: place, predicted: (place + 5) % CLASSES.length, probability: 0.97 - place * 0.03, loss: 6.1 - place * 0.31,
}));

/** What a training of that accuracy measured. */
function measured(accuracy: number): Record<string, unknown> {
  const near = (by: number) => Math.min(1, Math.max(0, accuracy + between(-by, by)));
  return {
    epochs: 30, best_epoch: 26, train_accuracy: 0.9871, train_loss: 0.09, validation_loss: 0.31, validation_accuracy: accuracy, images_per_second: 4_812, seconds: 61,
    map: { embedding: accuracy - 0.04, probabilities: accuracy - 0.08 },
    precision_at: { embedding: { 1: accuracy + 0.012, 5: accuracy + 0.004, 10: accuracy - 0.011 }, probabilities: { 1: accuracy - 0.02, 5: accuracy - 0.024, 10: accuracy - 0.045 } },
    calibration: {
      temperature: 1.37, ece_before: 0.061, ece_after: 0.014,
      bins: Array.from({ length: 12 }, (_, place) => ({ confidence: 0.12 + place * 0.078, accuracy: Math.min(1, 0.12 + place * 0.078 + between(-0.05, 0.05)), pictures: whole(4, 40) + place * 30 })),
    },
    per_class: CLASSES.map((_, place) => ({ class: place, pictures: 100, recall: near(0.07), precision: near(0.06), precision_at: { embedding: { 1: near(0.05), 5: near(0.05), 10: near(0.06) } }, map: { embedding: near(0.08) } })),
  };
}

function version(name: string, number: number, accuracy: number, backbone: string, hours: number, isDefault: boolean): ModelVersion {
  return {
    id: id(NOW - hours * 3_600_000), name, version: number, reference: `${name}@${number}`, backbone, classes: CLASSES, image_size: 224, embedding_dim: backbone === "alexnet" ? 4096 : 1280,
    origin: "trained", is_default: isDefault, validation_accuracy: accuracy,
    precision_at: {
      embedding: { 1: accuracy + 0.012, 5: accuracy + 0.004, 10: accuracy - 0.011 },
      probabilities: { 1: accuracy - 0.02, 5: accuracy - 0.024, 10: accuracy - 0.045 },
    },
    weights_bytes: 14_158_234, weights_sha256: "0".repeat(64), labels: {}, job_id: null, created_at: ago(hours),
    card: {
      trained_at: ago(hours), dataset: { source: "photos", prefix: "train/", fingerprint: "9f2c41aa77d05f0e8c1d2a7b4936e1c0", train: 8_012, validation: 2_000, unreadable: 3, images_per_class: Object.fromEntries(CLASSES.map((each) => [each, 400])) }, pretrained: "imagenet-mobilenet@1", iterations: 3_780, train_accuracy: 0.9871, device: "NVIDIA H100 80GB HBM3", seconds: 61.2, metrics: measured(accuracy), created_by: "vision-team", version: "0.1.0", hardest,
      recipe: { epochs: 30, batch_size: 64, optimizer: { kind: "sgd", momentum: 0.9 }, learning_rate: 0.01, schedule: "cosine", label_smoothing: 0.1, augment: { crop: true, mirror: true, mixup: number === 1 ? 0 : 0.2 } },
    },
  };
}

export const versions: ModelVersion[] = [
  version("scenes", 1, 0.8844, "alexnet", 410, false),
  version("scenes", 2, 0.9312, "mobilenet_v2", 52, true),
  version("products", 1, 0.9021, "resnet18", 130, true),
  { ...version("imagenet-mobilenet", 1, 0.68, "mobilenet_v2", 900, true), origin: "imported", validation_accuracy: null, precision_at: null, card: {} },
];

const partitions = CLASSES.map((name, place) => ({ class: name, class_id: place, rows: whole(5_400, 14_800), version: 1, graph: null }));
const total = partitions.reduce((sum, { rows }) => sum + rows, 0);

function generation(number: number, model: string, state: Generation["state"], pictures: number, hours: number): Generation {
  return { id: number, model, state, entries: pictures, created_at: ago(hours), ready_at: state === "building" ? null : ago(hours), activated_at: state === "building" || state === "ready" ? null : ago(hours) };
}

export const indexes: IndexDetail[] = [
  { name: "gallery", generation: 4, model: "scenes@2", entries: total, partitions_count: partitions.length, partitions, building: null, keep_generations: 1, created_at: ago(700), generations: [generation(5, "scenes@2", "ready", total, 3), generation(4, "scenes@2", "active", total, 40), generation(3, "scenes@1", "retired", 188_402, 400)] },
  { name: "catalogue", generation: 1, model: "products@1", entries: 48_220, partitions_count: 20, partitions: partitions.map((each) => ({ ...each, rows: Math.round(each.rows / 4) })), building: { generation: 2, model: "products@2", entries: 21_800 }, keep_generations: 2, created_at: ago(300), generations: [generation(2, "products@2", "building", 21_800, 0.2), generation(1, "products@1", "active", 48_220, 300)] },
  { name: "products", generation: 8, model: "products@1", entries: 12_410, partitions_count: 20, partitions: partitions.map((each) => ({ ...each, rows: Math.round(each.rows / 16) })), building: null, keep_generations: 2, created_at: ago(900), generations: [generation(9, "scenes@2", "ready", 12_410, 2), generation(8, "products@1", "active", 12_410, 90), generation(7, "products@1", "retired", 11_960, 300), generation(6, "products@1", "retired", 9_204, 500)] },
];

export const sources: Source[] = [
  { name: "photos", kind: "s3", url: "s3://studio-photos/", writable: false },
  { name: "archive", kind: "file", url: "file:///srv/archive", writable: false },
  { name: "uploads", kind: "file", url: "file:///var/lib/lookalike/uploads", writable: true },
];

/** The folder is not there; the others are. */
export function tested(name: string): SourceTest | undefined {
  const source = sources.find((each) => each.name === name);
  if (source === undefined) return undefined;
  const ok = name !== "archive";
  return {
    ok, location: source.url, objects_seen: ok ? 1_000 : 0, complete: false, milliseconds: whole(4, 180),
    sample: ok ? { key: "gallery/lemon/IMG_4101.jpg", is_prefix: false, size_bytes: 184_220, modified_at: ago(700) } : null,
    error: ok ? null : { code: "storage_unavailable", detail: `source "${name}": its folder /srv/archive is not there` },
  };
}

export function objects(prefix: string): SourceObject[] {
  const folder = (name: string): SourceObject => ({ key: `${prefix}${name}/`, size_bytes: null, is_prefix: true, modified_at: null });
  if (prefix === "") return ["gallery", "train", "val"].map(folder);
  if (prefix.split("/").length < 3) return CLASSES.map((name) => folder(name.replace(" ", "_")));
  return Array.from({ length: 40 }, (_, place) => ({
    key: `${prefix}IMG_${(4_100 + place).toString()}.jpg`, size_bytes: whole(80_000, 4_800_000), is_prefix: false, modified_at: ago(between(10, 2_000)),
  }));
}

export const keys: Key[] = [
  { id: id(NOW), name: "admin", hint: "lk_…9f2c", scope: "admin", created_at: ago(900), last_used_at: ago(0.01), expires_at: null },
  { id: id(NOW), name: "vision-team", hint: "lk_…41aa", scope: "submit", created_at: ago(500), last_used_at: ago(0.4), expires_at: ago(-2_000) },
  { id: id(NOW), name: "grafana", hint: "lk_…77d0", scope: "read", created_at: ago(220), last_used_at: null, expires_at: null },
];

export function confusion(): Confusion {
  const matrix = CLASSES.map((_, row) => CLASSES.map((_, column) => (row === column ? whole(82, 99) : chance() < 0.14 ? whole(1, 7) : 0)));
  return { classes: CLASSES, matrix };
}

export function entries(index: string, className: string | undefined, from: number): Entry[] {
  return Array.from({ length: 48 }, (_, place) => {
    const number = from + place;
    const name = className ?? CLASSES[number % CLASSES.length] ?? "teapot";
    const entry = `${CLASSES.indexOf(name)}-${number}`;
    const at = `/v1/indexes/${index}/entries/${entry}`;
    return {
      entry_id: entry, uri: `photos/gallery/${name.replace(" ", "_")}/IMG_${number}.jpg`, class: name, width: 1_024, height: 768, bytes: 180_000,
      content_hash: entry, perceptual_hash: "c3e1f0783c1e0f87", metadata: {}, indexed_at: ago(40), thumbnail: `${at}/thumbnail`, image: `${at}/image`,
    };
  });
}

/** An answer that looks right: mostly the same class, distances growing. */
export function answer(index: string, k: number, rankBy: RankBy, seedClass: number): SearchResult {
  const name = CLASSES[seedClass] ?? "teapot";
  let distance = 0.08;
  const hits = Array.from({ length: k }, (_, place) => {
    distance += between(0.006, 0.034);
    const other = place > 6 && chance() < 0.12;
    const at = other ? (seedClass + 5) % CLASSES.length : seedClass;
    const entry = `${at}-${whole(0, 9_999)}`;
    return {
      rank: place + 1, entry_id: `${entry}-${place}`, uri: `photos/gallery/${(CLASSES[at] ?? "").replace(" ", "_")}/IMG_${whole(1_000, 9_999)}.jpg`,
      class: CLASSES[at] ?? "", distance, similarity: 1 / (1 + distance), metadata: { camera: "X100V", taken: "2026-04-11" },
      thumbnail: `/v1/indexes/${index}/entries/${entry}-${place}/thumbnail`,
    };
  });
  const next = CLASSES[(seedClass + 5) % CLASSES.length] ?? "";
  return {
    query: { classes: [{ class: name, probability: 0.934 }, { class: next, probability: 0.041 }, { class: "candle", probability: 0.011 }, { class: "espresso", probability: 0.006 }, { class: "volcano", probability: 0.003 }] },
    hits,
    scanned: { partitions: 2, of_partitions: 20, entries: rankBy === "embedding" ? 20_412 : 20_410, of_entries: total, engine: "resident", exact: true },
    timings_ms: { queued: between(0.8, 2.1), decode: between(1.8, 3), forward: between(2.2, 3.4), match: between(0.3, 0.7), total: between(7.5, 9.8) },
  };
}
