// Numbers that look random and are the same in every run.
let seed = 20_261_123;

/** From 0 up to 1. */
export function chance(): number {
  seed = (seed * 1_664_525 + 1_013_904_223) % 4_294_967_296;
  return seed / 4_294_967_296;
}

export function between(low: number, high: number): number {
  return low + chance() * (high - low);
}

export function whole(low: number, high: number): number {
  return Math.floor(between(low, high + 1));
}

export function pick<T>(from: readonly T[]): T {
  return from[whole(0, from.length - 1)] as T;
}

/** A UUIDv7 of the moment `at`. */
export function id(at: number): string {
  const time = at.toString(16).padStart(12, "0");
  const rest = Array.from({ length: 19 }, () => whole(0, 15).toString(16)).join("");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-a${rest.slice(3, 6)}-${rest.slice(6, 18)}`;
}
