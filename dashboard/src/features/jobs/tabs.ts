/** The tabs of a job's page, as they stand in the URL. */
export const JOB_TABS = ["overview", "logs", "pictures", "attempts"] as const;

export type JobTab = (typeof JOB_TABS)[number];
