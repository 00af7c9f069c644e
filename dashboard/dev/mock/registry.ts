// What the mock does to models: comparison, default, labels; and how fast trainings went.
import type { Comparison, ModelVersion, TrainingPerformance } from "../../src/api/types.ts";
import { between, id } from "./chance.ts";
import { CLASSES, versions } from "./library.ts";
import { problem, type Reply } from "./plugin.ts";

const FIGURES: [string, boolean | null][] = [
  ["validation_accuracy", true], ["validation_loss", false], ["precision_at.embedding.1", true], ["precision_at.embedding.10", true], ["map.embedding", true], ["seconds", null],
];

export function compared(a: string | null, b: string | null): Reply {
  const [one, other] = [named(a), named(b)];
  if (one === undefined || other === undefined) return problem(404, "not_found", "there is no such version");
  const change = () => {
    const [before, after] = [between(0.7, 0.95), between(0.75, 0.99)];
    return { a: before, b: after, difference: after - before };
  };
  const body: Comparison = {
    a: one, b: other,
    metrics: FIGURES.map(([name, higher_is_better]) => ({ name, ...change(), higher_is_better })),
    classes: { same: true, only_a: [], only_b: [] },
    per_class: CLASSES.map((name) => ({ class: name, recall: change(), precision: change(), precision_at_10: change() })),
    recipe: [{ field: "augment.mixup", a: 0, b: 0.2 }, { field: "backbone", a: one.backbone, b: other.backbone }].map((each) => each as unknown as Comparison["recipe"][number]),
    dataset: [], same_dataset: false,
  };
  return { body };
}

function named(reference: string | null): ModelVersion | undefined {
  return versions.find((each) => each.reference === reference) ?? versions.find((each) => each.is_default);
}

export function becomeDefault(name: string | undefined, version: number): Reply {
  const own = versions.filter((each) => each.name === name);
  const chosen = own.find((each) => each.version === version);
  if (chosen === undefined) return problem(422, "invalid_request", `model "${name ?? ""}" has no version ${version}`);
  if (chosen.is_default) return problem(409, "conflict", `no version of model "${name ?? ""}" but ${version} was its default before`);
  for (const each of own) each.is_default = each === chosen;
  return { body: chosen };
}

export function labelled(name: string | undefined, version: string | undefined, changes: Record<string, string | null>): Reply {
  const model = versions.find((each) => each.name === name && String(each.version) === version);
  if (model === undefined) return problem(404, "not_found", "there is no such version");
  const merged = Object.entries({ ...model.labels, ...changes }).filter(([, value]) => value !== null);
  model.labels = Object.fromEntries(merged as unknown as [string, Record<string, never>][]);
  return { body: model };
}

export function performance(): TrainingPerformance {
  const run = (model: string, backbone: string, pace: number, epochs: number) => ({
    job_id: id(Date.now()), state: "succeeded", created_at: new Date().toISOString(), model, backbone, image_size: 224, batch_size: 64, images_per_second: pace * 64,
    points: Array.from({ length: epochs }, (_, place) => ({ seconds: ((place + 1) * 126) / pace, iterations: (place + 1) * 126, images: (place + 1) * 8_012 })),
  });
  return {
    devices: [
      { device: "NVIDIA H100 80GB HBM3", runs: [run("scenes@2", "mobilenet_v2", 75, 30), run("scenes@1", "alexnet", 110, 30)] },
      { device: "AMD EPYC 9354P, 32 cores", runs: [run("products@1", "resnet18", 9, 12)] },
    ],
  };
}
