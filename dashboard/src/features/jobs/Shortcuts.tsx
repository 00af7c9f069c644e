import { ActionIcon, Group, Popover, Stack, Text, Tooltip } from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { IconKeyboard } from "@tabler/icons-react";
import { Key } from "~/ui/Key";

const KEYS: [string, string][] = [
  ["j", "Next job"],
  ["k", "Previous job"],
  ["Enter", "Open the job"],
  ["x", "Select it"],
  ["/", "Filter by label"],
  ["Esc", "Clear the selection"],
  ["?", "These keys"],
];

/** The keys of the job list. */
export function Shortcuts() {
  const [opened, { toggle, close }] = useDisclosure(false);
  useHotkeys([["shift+?", toggle]], ["INPUT", "TEXTAREA", "SELECT"], false);
  return (
    <Popover opened={opened} onDismiss={close} position="bottom-end" shadow="md" trapFocus={false}>
      <Popover.Target>
        <Tooltip label="Keyboard shortcuts">
          <ActionIcon variant="default" size="lg" aria-label="Keyboard shortcuts" onClick={toggle} visibleFrom="sm">
            <IconKeyboard size={18} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap={6}>
          {KEYS.map(([key, meaning]) => (
            <Group key={key} justify="space-between" gap="xl">
              <Text size="sm">{meaning}</Text>
              <Key>{key}</Key>
            </Group>
          ))}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
