import { Button, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useNavigate } from "@tanstack/react-router";
import { IconChecklist } from "@tabler/icons-react";
import { useMay } from "~/features/session/useMay";
import { useValidate } from "./queries";

/** Asks whether a folder can be trained on, and leads to the report. */
export function CheckButton({ source, prefix }: { source: string; prefix: string }) {
  const validate = useValidate();
  const navigate = useNavigate();
  const submit = useMay("submit");

  function check() {
    validate.mutate({ source, body: { prefix } }, {
      onSuccess: (job) => void navigate({ to: "/jobs/$id", params: { id: job.id } }),
      onError: (error) => notifications.show({ color: "red", title: "Could not check the folder", message: error.message }),
    });
  }

  return (
    <Tooltip label="Counts classes, unreadable and double pictures of this folder">
      <Button size="xs" variant="default" leftSection={<IconChecklist size={15} />} disabled={!submit} loading={validate.isPending} onClick={check}>
        Check for training
      </Button>
    </Tooltip>
  );
}
