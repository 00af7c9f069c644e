import { Badge } from "@mantine/core";
import type { GenerationState } from "~/api/types";

const COLORS: Record<GenerationState, string> = { building: "violet", ready: "blue", active: "teal", retired: "gray", dropping: "red" };

/** A generation's state, by colour and word. */
export function GenerationBadge({ state }: { state: GenerationState }) {
  return <Badge color={COLORS[state]} miw="fit-content">{state}</Badge>;
}
