import { Alert, Button, Group, Modal, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconAlertTriangle } from "@tabler/icons-react";
import { type SyntheticEvent, useState } from "react";
import { ApiError } from "~/api/client";
import { PlaceInput } from "~/features/sources/PlaceInput";
import { useMakeSchedule } from "./queries";
import { DueTimes } from "./DueTimes";
import { type Draft, request } from "./words";
import { WhenFields } from "./WhenFields";

/** Asks for an index to follow a source. */
export function NewScheduleModal({ index, onClose }: { index: string; onClose: () => void }) {
  const [draft, setDraft] = useState<Draft>(() => empty(index));
  const [key, setKey] = useState(() => crypto.randomUUID());
  const make = useMakeSchedule();
  const fields = make.error instanceof ApiError ? make.error.fields : [];
  const errorAt = (...pointers: string[]) => fields.find(({ pointer }) => pointers.includes(pointer))?.detail;
  const body = request(index, draft);
  const change = (more: Partial<Draft>) => setDraft((before) => ({ ...before, ...more }));

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    if (body === null) return;
    make.mutate({ body, key }, {
      onSuccess: () => {
        notifications.show({ color: "teal", message: `${index} follows its source.` });
        onClose();
      },
      // Another try with other fields is another request.
      onError: () => setKey(crypto.randomUUID()),
    });
  }

  return (
    <Modal opened onClose={onClose} size={560} title={<Text span fw={620} size="lg">New schedule for {index}</Text>}>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <TextInput label="Name" data-autofocus value={draft.name} error={errorAt("/name")} onChange={(event) => change({ name: event.currentTarget.value })} />
          <PlaceInput label="Pictures" hint="All below it are read" value={draft} error={errorAt("/source", "/prefix")} onChange={change} />
          <div>
            <Text size="sm" fw={500} mb={4} id="schedule-mode">Entries whose file is gone</Text>
            <SegmentedControl
              fullWidth
              aria-labelledby="schedule-mode"
              data={[{ value: "sync", label: "Leave the index" }, { value: "add", label: "Stay" }]}
              value={draft.mode}
              onChange={(value) => change({ mode: value === "add" ? "add" : "sync" })}
            />
          </div>
          <WhenFields draft={draft} errorAt={errorAt} onChange={change} />
          <DueTimes draft={draft} />
          {make.error !== null && (
            <Alert color="red" icon={<IconAlertTriangle size={18} />} role="alert">
              {fields.length > 1 ? fields.map(({ pointer, detail }) => <div key={pointer}>{detail}</div>) : make.error.message}
            </Alert>
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>Go back</Button>
            <Button type="submit" loading={make.isPending} disabled={body === null}>Make the schedule</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function empty(index: string): Draft {
  const timezone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return { name: index, source: "", prefix: "", mode: "sync", by: "every", amount: 15, length: "minutes", cron: "0 3 * * *", timezone, jitter: 0 };
}
