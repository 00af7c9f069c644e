import { Alert, Button, Group, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { type SyntheticEvent, useState } from "react";
import type { Scope } from "~/api/types";
import { Mono } from "~/ui/Copy";
import { useMakeKey } from "./queries";

const SCOPES: { value: Scope; label: string }[] = [
  { value: "read", label: "Read: look, change nothing" },
  { value: "submit", label: "Submit: ask for jobs and act on them" },
  { value: "manage", label: "Manage: queues, models and indexes too" },
  { value: "admin", label: "Admin: keys too" },
];
const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** Makes a key and shows its secret, once. */
export function NewKeyModal({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Scope>("submit");
  const make = useMakeKey();

  function close() {
    onClose();
    make.reset();
    setName("");
  }

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    make.mutate({ name, scope });
  }

  return (
    <Modal opened={opened} onClose={close} title={<Text span fw={620} size="lg">New key</Text>}>
      {make.data !== undefined ? (
        <Stack>
          <Alert color="teal" icon={<IconCheck size={18} />} title="Copy it now">It is not shown again.</Alert>
          <Mono value={make.data.key ?? ""} label="Copy the key" whole />
          <Group justify="flex-end"><Button onClick={close}>Done</Button></Group>
        </Stack>
      ) : (
        <form onSubmit={submit}>
          <Stack>
            <TextInput
              label="Name"
              data-autofocus
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={make.error?.message ?? (name !== "" && !NAME.test(name) ? "Small letters, digits, _ and - only" : undefined)}
            />
            <Select label="Scope" allowDeselect={false} data={SCOPES} value={scope} onChange={(value) => setScope((value ?? "submit"))} />
            <Group justify="flex-end" gap="xs">
              <Button variant="default" onClick={close}>Go back</Button>
              <Button type="submit" loading={make.isPending} disabled={!NAME.test(name)}>Make the key</Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
