// The figures of two evaluations beside each other. All of them are shares of 1, and more is better.
import type { EvaluateResult, RankBy } from "~/api/types";
import { depths, mapOf } from "~/features/evaluations/figures";
import type { Pair } from "./pair";

export interface Figure {
  label: string;
  a: number | null;
  b: number | null;
  /** `b` less `a`; null where one is missing. */
  difference: number | null;
  better: keyof Pair<number> | null;
}

const RANKINGS: RankBy[] = ["embedding", "probabilities"];

/** Every share that either measured. */
export function figuresOf(a: EvaluateResult | null, b: EvaluateResult | null): Figure[] {
  const figures = RANKINGS.flatMap((ranking) => {
    const by = ranking === "embedding" ? "" : " by probabilities";
    const at = (k: number) => figure(`P@${k}${by}`, a?.precision_at[ranking]?.[k], b?.precision_at[ranking]?.[k]);
    return [...depthsOf(ranking, a, b).map(at), figure(`mAP${by}`, a && mapOf(a, ranking), b && mapOf(b, ranking))];
  });
  figures.push(figure("Routing recall", a?.routing_recall, b?.routing_recall), figure("Accuracy", a?.accuracy, b?.accuracy));
  return figures.filter((each) => each.a !== null || each.b !== null);
}

/** The numbers of hits that either was measured at. */
function depthsOf(ranking: RankBy, ...results: (EvaluateResult | null)[]): number[] {
  const all = results.flatMap((result) => depths(result?.precision_at, ranking));
  return [...new Set(all)].sort((x, y) => x - y);
}

/** What does not differ by a tenth of a point, as it is shown, is no better. */
function figure(label: string, a: number | null = null, b: number | null = null): Figure {
  const difference = a === null || b === null ? null : b - a;
  const tenths = difference === null ? 0 : Math.round(difference * 1_000);
  return { label, a, b, difference, better: tenths === 0 ? null : tenths > 0 ? "b" : "a" };
}

/** How many of the figures each has the better of. */
export function tally(names: Pair<string>, figures: Figure[]): string {
  const both = figures.filter(({ difference }) => difference !== null);
  if (both.length === 0) return "Shares of right hits; the difference comes when both are measured.";
  const [a, b] = (["a", "b"] as const).map((side) => both.filter(({ better }) => better === side).length) as [number, number];
  const of = `of ${both.length} figures`;
  if (a === b) return a === 0 ? "Neither is better in any figure." : `Each is better in ${a} ${of}.`;
  const [more, most, least] = b > a ? [names.b, b, a] : [names.a, a, b];
  return `Generation ${more} is better in ${most} ${of}${least > 0 ? `, the other in ${least}` : ""}.`;
}

export interface ClassFigures {
  class: string;
  precision: Figure;
  map: Figure;
}

/** The figures of each class that either measured, at the greatest depth that both have. */
export function classesOf(a: EvaluateResult, b: EvaluateResult): ClassFigures[] {
  const shared = depths(a.precision_at, "embedding").filter((k) => depths(b.precision_at, "embedding").includes(k));
  const k = shared.at(-1) ?? 1;
  const [of, than] = [a, b].map(({ per_class }) => new Map(per_class.map((row) => [row.class, row])));
  return [...new Set([...a.per_class, ...b.per_class].map((row) => row.class))].map((name) => {
    const [one, other] = [of?.get(name), than?.get(name)];
    return {
      class: name,
      precision: figure(`P@${k}`, one?.precision_at.embedding?.[k], other?.precision_at.embedding?.[k]),
      map: figure("mAP", one?.map, other?.map),
    };
  });
}
