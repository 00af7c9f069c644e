import { Group, Text, Tooltip } from "@mantine/core";
import classes from "./LiveDot.module.css";
import { useLiveStatus } from "./LiveUpdates";

const MEANING = {
  live: ["Live", "Updates arrive as they happen"],
  connecting: ["Connecting", "Opening the stream of updates"],
  waiting: ["Reconnecting", "The stream of updates broke; it is opened again by itself"],
  closed: ["Paused", "No updates arrive"],
} as const;

/** Whether updates are arriving. */
export function LiveDot() {
  const status = useLiveStatus();
  const [label, hint] = MEANING[status];
  return (
    <Tooltip label={hint}>
      <Group gap={7} wrap="nowrap" role="status" tabIndex={0} w="fit-content">
        <span className={classes.dot} data-status={status} />
        <Text size="xs" c="dimmed">{label}</Text>
      </Group>
    </Tooltip>
  );
}
