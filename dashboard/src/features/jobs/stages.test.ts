import { describe, expect, it } from "vitest";
import { bound, type StageTimes, stageTimes } from "./stages";

type Waits = [input: number, output: number];

function result(list: Waits, read: Waits, embed: Waits, commit: Waits, fetching = 5, decoding = 20) {
  const stage = ([waits_for_input, waits_for_output]: Waits) => ({ waits_for_input, waits_for_output });
  return { stages: { list: stage(list), read: { ...stage(read), fetching, decoding }, embed: stage(embed), commit: stage(commit) } };
}

function times(...told: Parameters<typeof result>): StageTimes {
  const found = stageTimes(result(...told));
  if (found === null) throw new Error("no times were told");
  return found;
}

describe("the shares of stages", () => {
  it("are what each worked and waited of the time that the pipeline ran", () => {
    const { seconds, stages } = times([1, 7], [0, 6], [1, 0], [9, 1], 5, 20);
    expect(seconds).toBe(10);
    expect(stages).toEqual([
      { name: "list", worked: 0.1, input: 0, output: 0.7, through: 0.2 },
      { name: "read", worked: 0.4, input: 0, output: 0.6, through: 0 },
      { name: "embed", worked: 0.9, input: 0.1, output: 0, through: 0 },
      { name: "commit", worked: 0, input: 0.9, output: 0.1, through: 0 },
    ]);
  });

  it("give reading no more than its files took", () => {
    const [, read] = times([0, 0], [0, 0], [1, 0], [10, 0], 1, 2).stages;
    expect(read).toEqual({ name: "read", worked: 0.3, input: 0, output: 0, through: 0.7 });
  });

  it("tell how many files were under way at a time", () => {
    const { fetched, decoded } = times([0, 10], [0, 5], [5, 0], [10, 0], 40, 10);
    expect([fetched, decoded]).toEqual([8, 2]);
  });

  it("are not there when nothing was measured, or too little to tell", () => {
    expect([null, {}, { stages: null }, result([0, 0.05], [0, 0], [0, 0], [0.06, 0])].map(stageTimes)).toEqual([null, null, null, null]);
  });
});

describe("what took long", () => {
  it("is the stage that worked most", () => {
    expect(bound(times([0, 10], [0, 9], [1, 0], [9, 0]))).toBe("The network is what took long.");
    expect(bound(times([0, 10], [9, 0], [10, 0], [1, 0]))).toBe("Storing the entries is what took long.");
    expect(bound(times([9, 0], [10, 0], [10, 0], [10, 0], 0, 0))).toBe("Listing the pictures and comparing them with the index is what took long.");
  });

  it("tells a slow store from slow decoding", () => {
    const reads = (fetching: number, decoding: number) => bound(times([0, 10], [0, 0], [9, 0], [10, 0], fetching, decoding));
    expect(reads(20, 19)).toBe("Decoding the pictures is what took long.");
    expect(reads(120, 8)).toBe("Fetching the pictures is what took long.");
    expect(reads(10, 1)).toBe("Fetching the pictures is what took long.");
  });

  it("may be two stages, or none", () => {
    expect(bound(times([0, 10], [0, 3], [3.5, 0], [10, 0]))).toBe("Decoding the pictures and the network took about equally long.");
    expect(bound(times([0, 10], [0, 7], [6, 0], [10, 0]))).toBe("No stage worked for even half of the time: they took turns.");
  });
});
