import { Alert, Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { IconAlertTriangle } from "@tabler/icons-react";
import { type ReactNode, type SyntheticEvent, useState } from "react";
import { ApiError } from "~/api/client";
import { type Submission, useSubmit } from "./queries";
import classes from "./SubmitModal.module.css";

export type ErrorAt = (...pointers: string[]) => string | undefined;

interface Props {
  opened: boolean;
  title: string;
  action: string;
  /** What is asked for, one job or several; null while something is missing. */
  submission: Submission | Submission[] | null;
  /** What follows; the page of the job when left out. */
  onDone?: (() => void) | undefined;
  onClose: () => void;
  /** The fields; `errorAt` tells what the server says of one. */
  children: (errorAt: ErrorAt) => ReactNode;
}

/** A form that asks for jobs and leads to what follows. */
export function SubmitModal({ opened, title, action, submission, onDone, onClose, children }: Props) {
  const submit = useSubmit();
  const navigate = useNavigate();
  const [key, setKey] = useState(() => crypto.randomUUID());
  const fields = submit.error instanceof ApiError ? submit.error.fields : [];
  const errorAt: ErrorAt = (...pointers) => fields.find(({ pointer }) => pointers.includes(pointer))?.detail;

  function send(event: SyntheticEvent) {
    event.preventDefault();
    if (submission === null) return;
    submit.mutate({ submissions: [submission].flat(), key }, {
      onSuccess: ([job]) => {
        if (onDone !== undefined) onDone();
        else if (job !== undefined) void navigate({ to: "/jobs/$id", params: { id: job.id } });
      },
      // Another try with other fields is another request.
      onError: () => setKey(crypto.randomUUID()),
    });
  }

  return (
    <Modal opened={opened} onClose={onClose} size={560} title={<Text span fw={620} size="lg">{title}</Text>}>
      <form onSubmit={send} noValidate>
        <Stack gap="md">
          {children(errorAt)}
          {submit.error !== null && (
            <Alert color="red" icon={<IconAlertTriangle size={18} />} role="alert">
              {fields.length > 1 ? fields.map(({ pointer, detail }) => <div key={pointer}>{detail}</div>) : submit.error.message}
            </Alert>
          )}
          <Group justify="flex-end" gap="xs" className={classes.actions}>
            <Button variant="default" onClick={onClose}>Go back</Button>
            <Button type="submit" loading={submit.isPending} disabled={submission === null}>{action}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
