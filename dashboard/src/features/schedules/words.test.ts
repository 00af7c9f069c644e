import { describe, expect, it } from "vitest";
import { type Draft, missed, place, request, rhythm, timing } from "./words";

const DRAFT: Draft = {
  name: "follow", source: "photos", prefix: "gallery", mode: "sync", by: "every", amount: 15, length: "minutes",
  cron: "0 3 * * *", timezone: "Europe/Vienna", jitter: 30,
};

describe("a schedule in words", () => {
  it("names an interval in its largest whole unit", () => {
    const every = (seconds: number) => rhythm({ every_seconds: seconds, cron: null, timezone: null });
    expect([60, 900, 3_600, 5_400, 86_400, 172_800, 61].map(every)).toEqual([
      "every minute", "every 15 minutes", "every hour", "every 90 minutes", "every day", "every 2 days", "every 61 seconds",
    ]);
  });

  it("shows a cron expression as it is, with its time zone", () => {
    expect(rhythm({ every_seconds: null, cron: "0 3 * * *", timezone: "Europe/Vienna" })).toBe("at 0 3 * * * (Europe/Vienna)");
  });

  it("tells what it follows, and what it missed", () => {
    expect(place({ source: "photos", prefix: "" })).toBe("photos/");
    expect([0, 1, 1_200].map(missed)).toEqual([
      null, "1 due time was skipped: the job before had not ended", "1,200 due times were skipped: the job before had not ended",
    ]);
  });
});

describe("a draft", () => {
  it("becomes a request with one rule, and a folder", () => {
    expect(request("gallery", DRAFT)).toEqual({
      name: "follow", index: "gallery", source: "photos", prefix: "gallery/", mode: "sync", every_seconds: 900, jitter_seconds: 30,
    });
    expect(timing({ ...DRAFT, by: "cron", jitter: "" })).toEqual({ cron: "0 3 * * *", timezone: "Europe/Vienna", jitter_seconds: 0 });
  });

  it("is no request while something is missing", () => {
    for (const missing of [{ name: " " }, { source: "" }, { amount: "" }, { by: "cron" as const, cron: " " }]) {
      expect(request("gallery", { ...DRAFT, ...missing })).toBeNull();
    }
  });
});
