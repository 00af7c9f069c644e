// Which two generations of an index are compared.
import type { StoredGeneration } from "~/api/types";

export interface Pair<T> {
  a: T;
  b: T;
}

const COMPARABLE = ["active", "ready", "retired"];

/** Those that can be searched and measured: the active one, the newest ready one, the one that was active last, and so on. */
export function comparable(generations: StoredGeneration[]): StoredGeneration[] {
  const rank = ({ state }: StoredGeneration) => COMPARABLE.indexOf(state);
  const since = ({ activated_at }: StoredGeneration) => Date.parse(activated_at ?? "") || 0;
  return generations.filter((each) => rank(each) >= 0).sort((a, b) => rank(a) - rank(b) || since(b) - since(a) || b.id - a.id);
}

/** The two that were asked for; in the place of one that is not there, the first other one. Null without two. */
export function chosenPair(generations: StoredGeneration[], asked: Partial<Pair<number | undefined>>): Pair<StoredGeneration> | null {
  const all = comparable(generations);
  const a = all.find(({ id }) => id === asked.a) ?? all.find(({ id }) => id !== asked.b);
  const others = all.filter((each) => each !== a);
  const b = others.find(({ id }) => id === asked.b) ?? others[0];
  return a === undefined || b === undefined ? null : { a, b };
}
