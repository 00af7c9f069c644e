// What a panel shows when it has nothing to show yet: nothing there, still loading, or failed.
import { Button, Skeleton, Stack, Text, ThemeIcon } from "@mantine/core";
import { IconAlertTriangle, IconRefresh } from "@tabler/icons-react";
import type { ReactNode } from "react";

interface EmptyProps {
  icon: ReactNode;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

/** Nothing here, why, and what to do about it. */
export function Empty({ icon, title, children, action }: EmptyProps) {
  return (
    <Stack align="center" gap={6} py={36} px="md" ta="center">
      <ThemeIcon variant="light" color="gray" size={44} radius="xl" mb={6} aria-hidden>{icon}</ThemeIcon>
      <Text fw={600}>{title}</Text>
      {children !== undefined && <Text component="div" size="sm" c="dimmed" maw={440}>{children}</Text>}
      {Boolean(action) && <div style={{ marginTop: 10 }}>{action}</div>}
    </Stack>
  );
}

interface FailureProps {
  error: Error;
  onRetry?: () => void;
}

/** What went wrong, with a way to try again. */
export function Failure({ error, onRetry }: FailureProps) {
  const requestId = "requestId" in error && typeof error.requestId === "string" ? error.requestId : null;
  return (
    <Stack align="center" gap={6} py={36} px="md" ta="center" role="alert">
      <ThemeIcon variant="light" color="red" size={44} radius="xl" mb={6} aria-hidden>
        <IconAlertTriangle size={22} />
      </ThemeIcon>
      <Text fw={600}>This could not be loaded</Text>
      <Text size="sm" c="dimmed" maw={480}>{error.message}</Text>
      {requestId !== null && <Text size="xs" c="dimmed" className="mono">request {requestId}</Text>}
      {onRetry !== undefined && (
        <Button variant="default" mt={10} leftSection={<IconRefresh size={16} />} onClick={onRetry}>Try again</Button>
      )}
    </Stack>
  );
}

/** Grey bars in the place of rows that are on their way. */
export function Loading({ rows = 4, height = 20 }: { rows?: number; height?: number }) {
  return (
    <Stack gap={14} aria-busy="true" aria-label="Loading" role="status">
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={height} width={`${100 - ((row * 13) % 40)}%`} />
      ))}
    </Stack>
  );
}
