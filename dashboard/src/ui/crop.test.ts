import { describe, expect, it } from "vitest";
import { drawn, grown, isSame, moved, resized } from "./crop";

const middle = { x: 0.25, y: 0.25, width: 0.5, height: 0.5 };

describe("a part that is drawn", () => {
  it("lies between two corners, whichever came first", () => {
    expect(drawn({ x: 0.1, y: 0.2 }, { x: 0.6, y: 0.9 })).toEqual({ x: 0.1, y: 0.2, width: 0.5, height: 0.7 });
    expect(drawn({ x: 0.6, y: 0.9 }, { x: 0.1, y: 0.2 })).toEqual({ x: 0.1, y: 0.2, width: 0.5, height: 0.7 });
  });

  it("ends with the picture and is never too small", () => {
    expect(drawn({ x: 0.5, y: -3 }, { x: 7, y: 0.4 })).toEqual({ x: 0.5, y: 0, width: 0.5, height: 0.4 });
    expect(drawn({ x: 1, y: 0.5 }, { x: 1, y: 0.5 })).toEqual({ x: 0.96, y: 0.5, width: 0.04, height: 0.04 });
  });

  it("ends within the picture after rounding too", () => {
    const { x, width } = drawn({ x: 0.333_35, y: 0 }, { x: 1, y: 1 });
    expect(x + width).toBeLessThanOrEqual(1 + 1e-9);
  });
});

describe("a part that is changed", () => {
  it("is moved up to the edges with its size kept", () => {
    expect(moved(middle, { x: 0.1, y: -0.2 })).toEqual({ ...middle, x: 0.35, y: 0.05 });
    expect(moved(middle, { x: 9, y: -9 })).toEqual({ ...middle, x: 0.5, y: 0 });
  });

  it("keeps the corner opposite to the one that is pulled", () => {
    expect(resized(middle, "nw", { x: 0.1, y: 0.2 })).toEqual({ x: 0.1, y: 0.2, width: 0.65, height: 0.55 });
    expect(resized(middle, "se", { x: 2, y: 0.3 })).toEqual({ x: 0.25, y: 0.25, width: 0.75, height: 0.05 });
    expect(resized(middle, "ne", { x: 0.2, y: 0.9 })).toEqual({ x: 0.25, y: 0.71, width: 0.04, height: 0.04 });
  });

  it("grows by its lower right corner", () => {
    expect(grown(middle, { x: 0.02, y: -0.02 })).toEqual({ ...middle, width: 0.52, height: 0.48 });
  });

  it("is the same when all of its numbers are", () => {
    expect([isSame(middle, { ...middle }), isSame(middle, null), isSame(null, null)]).toEqual([true, false, true]);
  });
});
