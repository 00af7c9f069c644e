import { describe, expect, it } from "vitest";
import { bucketed, followed } from "./samples";

const at = (second: number) => new Date(second * 1_000).toISOString();

describe("followed samples", () => {
  it("asks for the whole window first, and then only for what is new", async () => {
    const asked: string[] = [];
    const fetchSince = (fresh: { at: string }[]) => (since: string) => {
      asked.push(since);
      return Promise.resolve(fresh);
    };
    const first = await followed(undefined, 60_000, fetchSince([{ at: at(950) }, { at: at(990) }]), 1_000_000);
    const next = await followed(first, 60_000, fetchSince([{ at: at(990) }, { at: at(1_005) }]), 1_020_000);
    expect(asked).toEqual([at(940), at(990)]);
    expect(next.map((sample) => sample.at)).toEqual([at(990), at(1_005)]);
  });

  it("asks for the window again after a pause longer than it", async () => {
    const asked: string[] = [];
    await followed([{ at: at(100) }], 60_000, (since) => {
      asked.push(since);
      return Promise.resolve([]);
    }, 1_000_000);
    expect(asked).toEqual([at(940)]);
  });
});

describe("bucketed samples", () => {
  it("makes rows of equal steps and leaves out the one that is still filling up", () => {
    const samples = [1, 4, 11, 14, 19, 21].map((second) => ({ at: at(second), value: second }));
    const rows = bucketed(samples, 30_000, 24_000, 3, 5_000, (inside, stepMs) => ({ count: inside.length, stepMs }));
    expect(rows).toEqual([
      { at: 0, count: 2, stepMs: 10_000 },
      { at: 10_000, count: 3, stepMs: 10_000 },
    ]);
  });
});
