import { Button, Group, Modal, Text } from "@mantine/core";
import type { ReactNode } from "react";

interface Props {
  opened: boolean;
  title: string;
  action: string;
  busy?: boolean;
  danger?: boolean;
  children: ReactNode;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be taken back. */
export function Confirm({ opened, title, action, busy = false, danger = true, children, onConfirm, onClose }: Props) {
  return (
    <Modal opened={opened} onClose={onClose} title={<Text fw={620} size="lg" span>{title}</Text>}>
      <Text component="div" size="md" mb="lg">{children}</Text>
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={onClose} data-autofocus>Go back</Button>
        <Button color={danger ? "red" : "brand"} loading={busy} onClick={onConfirm}>{action}</Button>
      </Group>
    </Modal>
  );
}
