// When something that cannot push its changes is read again.

/** Reads again each `ms`, once there is something to show: what failed stays said until somebody asks again. */
export function every(ms: number) {
  return ({ state }: { state: { data: unknown } }): number | false => (state.data === undefined ? false : ms);
}
