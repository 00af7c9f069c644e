import { Group, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";

interface Props {
  /** What the browser calls the page. */
  name: string;
  /** The heading; the name when left out. */
  title?: ReactNode;
  above?: ReactNode;
  below?: ReactNode;
  actions?: ReactNode;
}

/** The head of a page: what it is about, and what can be done with all of it. */
export function PageHeader({ name, title = name, above, below, actions }: Props) {
  useDocumentTitle(`${name} · Lookalike`);
  return (
    <Group justify="space-between" align="flex-end" gap="sm" mb="lg" component="header">
      <Stack gap={4} miw={0} style={{ flex: "1 1 260px" }}>
        {above}
        <Title order={1}>{title}</Title>
        {below !== undefined && <Text component="div" size="sm" c="dimmed">{below}</Text>}
      </Stack>
      {actions !== undefined && <Group gap="xs">{actions}</Group>}
    </Group>
  );
}
