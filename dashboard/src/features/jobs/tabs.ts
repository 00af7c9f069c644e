/** The tabs of a job's page, as they stand in the URL. */
export const JOB_TABS = ["overview", "logs", "pictures", "attempts"] as const;

export type JobTab = (typeof JOB_TABS)[number];

/** What of a job's page stands in the URL. */
export interface JobView {
  tab?: JobTab;
  /** The reasons whose failed pictures are shown, separated by commas; all when left out. */
  codes?: string;
}

export function jobView(raw: Record<string, unknown>): JobView {
  const codes = typeof raw.codes === "string" ? codesOf(raw.codes).join(",") : "";
  return { tab: JOB_TABS.find((tab) => tab === raw.tab), codes: codes === "" ? undefined : codes };
}

export function codesOf(text: string | undefined): string[] {
  return (text ?? "").split(",").map((code) => code.trim()).filter((code) => code !== "");
}
