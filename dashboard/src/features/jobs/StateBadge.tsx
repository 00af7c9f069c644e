import { Badge } from "@mantine/core";
import { IconPlayerPause } from "@tabler/icons-react";
import type { JobState } from "~/api/types";
import classes from "./StateBadge.module.css";
import { STATES } from "./states";

interface Props {
  state: JobState;
  /** Whether the job is paused or, while it runs, about to be. */
  paused?: boolean;
  size?: "md" | "lg";
}

/** A job's state, by colour, icon and word. */
export function StateBadge({ state, paused = false, size = "md" }: Props) {
  const { label, color, icon: Icon } = meaning(state, paused);
  const turning = state === "running" && !paused;
  return (
    <Badge
      color={color}
      size={size}
      className={classes.badge}
      leftSection={<Icon size={size === "lg" ? 15 : 13} stroke={2.2} className={turning ? classes.turning : undefined} aria-hidden />}
    >
      {label}
    </Badge>
  );
}

function meaning(state: JobState, paused: boolean) {
  if (!paused) return STATES[state];
  return { label: state === "running" ? "Pausing" : "Paused", color: "yellow", icon: IconPlayerPause };
}
