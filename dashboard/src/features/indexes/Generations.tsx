import { Badge, Group, Stack, Text } from "@mantine/core";
import type { Generation } from "~/api/types";
import { counted } from "~/format/number";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";

const COLORS: Record<string, string> = { building: "violet", active: "teal", retired: "gray" };

/** The builds of an index, newest first. */
export function Generations({ generations }: { generations: Generation[] }) {
  return (
    <Panel title="Generations">
      <Stack gap="sm">
        {generations.map((generation) => (
          <Group key={generation.id} justify="space-between" wrap="nowrap">
            <div>
              <Text size="sm" fw={600}>{generation.id} by {generation.model}</Text>
              <Text size="xs" c="dimmed" component="div">{counted(generation.entries, "picture")}, begun <TimeAgo at={generation.created_at} /></Text>
            </div>
            <Badge color={COLORS[generation.state] ?? "gray"} miw="fit-content">{generation.state}</Badge>
          </Group>
        ))}
      </Stack>
    </Panel>
  );
}
