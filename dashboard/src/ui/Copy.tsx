import { ActionIcon, CopyButton, Group, Text, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";

/** A button that copies `value`. */
export function Copy({ value, label = "Copy" }: { value: string; label?: string }) {
  return (
    <CopyButton value={value} timeout={1_500}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? "Copied" : label}>
          <ActionIcon
            size="sm"
            color={copied ? "teal" : "gray"}
            aria-label={label}
            onClick={(event) => {
              event.stopPropagation();
              copy();
            }}
          >
            {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  );
}

/** An id or address in fixed-width type, with its copy button; `whole` breaks it over lines instead of cutting it. */
export function Mono({ value, label, whole = false }: { value: string; label?: string; whole?: boolean }) {
  return (
    <Group gap={4} wrap="nowrap" miw={0} maw="100%" display="inline-flex">
      <Text span className="mono" truncate={!whole} title={value} style={whole ? { overflowWrap: "anywhere" } : undefined}>{value}</Text>
      <Copy value={value} label={label ?? "Copy"} />
    </Group>
  );
}
