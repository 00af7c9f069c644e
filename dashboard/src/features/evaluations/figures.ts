// What is read out of evaluations: how settings are called, which depths were measured, and which evaluations stand in
// one line over time.
import type { EvaluateResult, Evaluation, MeasuredClass, PrecisionAt, RankBy } from "~/api/types";
import { count, meant, significant } from "~/format/number";

/** A value of `probes` as the search page calls it. */
export function probesName(probes: string | number): string {
  const value = Number(probes);
  if (probes === "auto") return "Likely ones";
  if (probes === "all") return "All";
  if (value >= 1) return `First ${value}`;
  return value > 0 ? `Until ${significant(value * 100)} % sure` : String(probes);
}

/** A value of `probes` as it is asked for. */
export function probesValue(probes: string | number): string {
  const value = Number(probes);
  return Number.isNaN(value) ? String(probes) : String(meant(value));
}

/** The numbers of hits that anything was measured at, ascending. */
export function depths(at: PrecisionAt | undefined, ranking: RankBy): number[] {
  return Object.keys(at?.[ranking] ?? {}).map(Number).sort((a, b) => a - b);
}

/** The least and the greatest of them, which is one where there is but one. */
export function ends(all: number[]): number[] {
  return [...new Set([...all.slice(0, 1), ...all.slice(-1)])];
}

export function mapOf({ map, map_by }: Pick<MeasuredClass, "map" | "map_by">, ranking: RankBy): number | null {
  return map_by?.[ranking] ?? (ranking === "embedding" ? map : undefined) ?? null;
}

/** The folder that was measured with. */
export function placeOf({ source, prefix }: { source?: string | undefined; prefix?: string | undefined }): string {
  return [source, prefix].filter((part) => part !== undefined && part !== "").join("/");
}

/** What was measured, with what, and with how many queries. */
export function measured(result: EvaluateResult): string {
  const { generation, model, queries } = result;
  const what = generation === undefined ? "" : `generation ${generation} by ${model ?? "its model"}`;
  return [what, placeOf(result), `${count(queries)} queries`].filter((part) => part !== "").join(", ");
}

/** Evaluations with the same pictures and the same setting, whose figures can stand in one line. */
export interface Course {
  name: string;
  /** The least and the greatest number of hits that precision is told at. */
  depths: number[];
  /** The oldest first. */
  evaluations: Evaluation[];
}

/** The courses of evaluations, given the newest first; what was measured but once makes none. */
export function coursesOf(evaluations: Evaluation[]): Course[] {
  const courses = new Map<string, Course>();
  for (const evaluation of evaluations) {
    const { result } = evaluation;
    const name = `${placeOf(result)}, ${probesName(result.probes ?? "auto").toLowerCase()}`;
    const all = depths(result.precision_at, "embedding");
    // The mean average precision is of as many hits as the greatest depth.
    const key = `${name} ${all.at(-1) ?? 0}`;
    const known = courses.get(key);
    if (known === undefined) courses.set(key, { name, depths: ends(all), evaluations: [evaluation] });
    else known.evaluations.unshift(evaluation);
  }
  return [...courses.values()].filter((course) => course.evaluations.length > 1);
}
