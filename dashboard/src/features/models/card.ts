// Reads a model's card, which is free-form JSON, without trusting it.
import type { ModelVersion, RankBy } from "~/api/types";
import { number, record, text } from "~/features/jobs/read";

/** Pictures whose answers are about as confident. */
export interface Bin {
  confidence: number;
  accuracy: number;
  pictures: number;
}

/** How far probabilities can be believed. */
export interface Calibration {
  temperature: number | null;
  before: number | null;
  after: number | null;
  bins: Bin[];
}

/** A validation picture that the model found hard. */
export interface Hard {
  uri: string;
  class: string;
  predicted: string;
  probability: number | null;
  loss: number | null;
}

/** The figures of one class. */
export interface ClassFigures {
  class: string;
  pictures: number | null;
  recall: number | null;
  precision: number | null;
  p10: number | null;
  map: number | null;
}

export function metricsOf(model: ModelVersion): Record<string, unknown> {
  return record(record(model.card).metrics);
}

/** Mean average precision by ranking. */
export function mapOf(model: ModelVersion): Partial<Record<RankBy, number>> {
  const { embedding, probabilities } = record(metricsOf(model).map);
  return { ...pick("embedding", embedding), ...pick("probabilities", probabilities) };
}

function pick(ranking: RankBy, value: unknown): Partial<Record<RankBy, number>> {
  return typeof value === "number" ? { [ranking]: value } : {};
}

/** Null when it was not measured. */
export function calibrationOf(model: ModelVersion): Calibration | null {
  const found = record(metricsOf(model).calibration);
  const bins = rows(found.bins).flatMap((bin) => {
    const [confidence, accuracy, pictures] = [number(bin.confidence), number(bin.accuracy), number(bin.pictures)];
    return confidence === null || accuracy === null || pictures === null ? [] : [{ confidence, accuracy, pictures }];
  });
  if (bins.length === 0) return null;
  bins.sort((a, b) => a.confidence - b.confidence);
  return { temperature: number(found.temperature), before: number(found.ece_before), after: number(found.ece_after), bins };
}

/** The hardest first. */
export function hardestOf(model: ModelVersion): Hard[] {
  return rows(record(model.card).hardest).flatMap((row) => {
    const uri = text(row.uri);
    if (uri === null) return [];
    return [{
      uri, class: className(model, row.class), predicted: className(model, row.predicted), probability: number(row.probability), loss: number(row.loss),
    }];
  });
}

export function perClassOf(model: ModelVersion): ClassFigures[] {
  return rows(metricsOf(model).per_class).map((row) => ({
    class: className(model, row.class),
    pictures: number(row.pictures),
    recall: number(row.recall),
    precision: number(row.precision),
    p10: number(record(record(row.precision_at).embedding)["10"]),
    map: number(record(row.map).embedding),
  }));
}

/** A card names classes, or numbers them. */
function className(model: ModelVersion, value: unknown): string {
  return text(value) ?? model.classes[number(value) ?? -1] ?? "?";
}

function rows(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(record) : [];
}

/** The fields of an object without some of them. */
export function without(fields: Record<string, unknown>, ...names: string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}
