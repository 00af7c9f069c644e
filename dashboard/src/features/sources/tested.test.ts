import { describe, expect, it } from "vitest";
import type { Source } from "~/api/types";
import { remedy, seen, took } from "./tested";

const source = (kind: string): Source => ({ name: "old-scans", kind, url: `${kind}://there`, writable: false });

describe("a tested source", () => {
  it("tells whether it was seen to its end", () => {
    const told = [[0, true], [0, false], [1, true], [1_000, false]] as const;
    expect(told.map(([objects_seen, complete]) => seen({ objects_seen, complete }))).toEqual([
      "Holds nothing", "Nothing was listed in time", "Holds 1 object", "Holds more than 1,000 objects",
    ]);
  });

  it("took whole milliseconds", () => {
    expect([0, 4, 140, 10_000].map(took)).toEqual(["under 1 ms", "4 ms", "140 ms", "10 s"]);
  });

  it("says which settings a bucket has, and what to do about a folder", () => {
    expect(remedy("denied", source("s3"))).toContain("LOOKALIKE_SOURCE_OLD_SCANS_* or, for all of its kind, AWS_*");
    expect(remedy("not_found", source("az"))).toContain("AZURE_*");
    expect(remedy("storage_unavailable", source("file"))).toContain("mounted");
  });

  it("has something to say to an error of a newer server", () => {
    expect(remedy("quota_exceeded", source("s3"))).not.toBe("");
  });
});
