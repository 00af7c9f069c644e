/** What of an index's page stands in the URL. */
export interface IndexView {
  tab?: "evaluations";
  /** The class whose pictures are shown; all when left out. */
  class?: string;
  /** The evaluation that is open, on its tab. */
  evaluation?: string;
}

export function indexView(raw: Record<string, unknown>): IndexView {
  const word = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
  return { tab: raw.tab === "evaluations" ? "evaluations" : undefined, class: word(raw.class), evaluation: word(raw.evaluation) };
}
