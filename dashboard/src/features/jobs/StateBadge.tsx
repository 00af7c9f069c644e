import { Badge } from "@mantine/core";
import type { JobState } from "~/api/types";
import classes from "./StateBadge.module.css";
import { STATES } from "./states";

/** A job's state, by colour, icon and word. */
export function StateBadge({ state, size = "md" }: { state: JobState; size?: "md" | "lg" }) {
  const { label, color, icon: Icon } = STATES[state];
  return (
    <Badge
      color={color}
      size={size}
      className={classes.badge}
      leftSection={<Icon size={size === "lg" ? 15 : 13} stroke={2.2} className={state === "running" ? classes.turning : undefined} aria-hidden />}
    >
      {label}
    </Badge>
  );
}
