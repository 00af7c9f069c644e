import { ActionIcon, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconPlus, IconX } from "@tabler/icons-react";
import { type SyntheticEvent, useState } from "react";
import type { ModelVersion } from "~/api/types";
import { useMay } from "~/features/session/useMay";
import { Panel } from "~/ui/Panel";
import { useSetLabels } from "./queries";

/** Free words on a version, to be found by. */
export function LabelsPanel({ model }: { model: ModelVersion }) {
  const [written, setWritten] = useState("");
  const change = useSetLabels(model.name, model.version);
  const manage = useMay("manage");
  const labels = Object.entries(model.labels).map(([name, value]) => [name, String(value)] as const);
  const [name = "", ...rest] = written.split("=");
  const complete = name.trim() !== "" && rest.length > 0;

  function set(changes: Record<string, string | null>) {
    change.mutate(changes, {
      onSuccess: () => setWritten(""),
      onError: (error) => notifications.show({ color: "red", title: "Could not change the labels", message: error.message }),
    });
  }

  function add(event: SyntheticEvent) {
    event.preventDefault();
    if (complete) set({ [name.trim()]: rest.join("=").trim() });
  }

  return (
    <Panel title="Labels">
      <Stack gap={6}>
        {labels.length === 0 && <Text size="sm" c="dimmed">No labels.</Text>}
        {labels.map(([label, value]) => (
          <Group key={label} justify="space-between" wrap="nowrap" gap="xs">
            <Text size="sm" style={{ overflowWrap: "anywhere" }}><Text span inherit c="dimmed">{label}</Text> {value}</Text>
            {manage && <ActionIcon size="sm" aria-label={`Take the label ${label} away`} disabled={change.isPending} onClick={() => set({ [label]: null })}><IconX size={14} /></ActionIcon>}
          </Group>
        ))}
        {manage && (
          <form onSubmit={add}>
            <Group gap="xs" wrap="nowrap" mt={4}>
              <TextInput flex={1} size="xs" aria-label="New label" placeholder="name=value" value={written} onChange={(event) => setWritten(event.currentTarget.value)} />
              <Button type="submit" size="xs" variant="default" leftSection={<IconPlus size={14} />} disabled={!complete} loading={change.isPending}>Add</Button>
            </Group>
          </form>
        )}
      </Stack>
    </Panel>
  );
}
