import { describe, expect, it } from "vitest";
import { bytes, count, counted, percent, points, significant } from "./number";
import { between, duration, relative } from "./time";

describe("numbers", () => {
  it("group thousands and show a dash for what is not there", () => {
    expect([count(1_234_567), count(null), count(undefined), count(Number.NaN)]).toEqual(["1,234,567", "–", "–", "–"]);
  });

  it("have binary units", () => {
    expect([0, 1_023, 1_536, 80 * 2 ** 30, 37.5 * 2 ** 30].map(bytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "80 GiB", "37.5 GiB"]);
  });

  it("keep three significant digits and never an exponent", () => {
    expect([0.21345, 9.116, 4_812.4, 0.00012].map(significant)).toEqual(["0.213", "9.12", "4,812", "0.00012"]);
  });

  it("tell a difference of shares with its sign", () => {
    expect([0.0312, -0.0312, 0, -0.0004, null].map(points)).toEqual(["+3.1", "−3.1", "±0.0", "±0.0", "–"]);
  });

  it("are shares and amounts", () => {
    expect([percent(0.8844), percent(1, 0), counted(1, "hit"), counted(20, "hit")]).toEqual(["88.4 %", "100 %", "1 hit", "20 hits"]);
  });
});

describe("times", () => {
  it("have their two largest units", () => {
    const spans = [6.5, 840, 4_250, 59_999, 125_000, 3_780_000, 187_200_000];
    expect(spans.map(duration)).toEqual(["6.5 ms", "840 ms", "4.2 s", "59 s", "2 m 05 s", "1 h 03 m", "2 d 4 h"]);
  });

  it("are told from now, both ways", () => {
    const now = Date.parse("2026-11-23T12:00:00Z");
    const told = (offset: number) => relative(now + offset, now);
    expect([-900, -12_000, 190_000, -5 * 3_600_000, -40 * 86_400_000].map(told)).toEqual(["just now", "12 s ago", "in 3 min", "5 h ago", "14 Oct 2026"]);
  });

  it("run on until their end has come", () => {
    expect(between("2026-11-23T12:00:00Z", null, Date.parse("2026-11-23T12:00:07Z"))).toBe(7_000);
    expect(between("2026-11-23T12:00:00Z", "2026-11-23T12:00:02Z", 0)).toBe(2_000);
  });
});
