import { Button, Group } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useNavigate } from "@tanstack/react-router";
import { IconHandStop, IconPlayerPause, IconPlayerPlay, IconRotateClockwise2, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import type { Job, JobAction } from "~/api/types";
import { useMay } from "~/features/session/useMay";
import { Confirm } from "~/ui/Confirm";
import { kindOf, summaryOf } from "./kinds";
import { useJobAction } from "./actions";
import { allows } from "./states";

const DONE: Record<JobAction, string> = {
  cancel: "The job was asked to stop.",
  retry: "The job is back in its queue.",
  delete: "The job was deleted.",
  pause: "The job is being paused.",
  resume: "The job goes on once a worker is free.",
};

/** Pause, resume, cancel, retry and delete, each enabled in the states that allow it. */
export function JobActions({ job }: { job: Job }) {
  const [asking, setAsking] = useState(false);
  const navigate = useNavigate();
  const act = useJobAction(job.id);
  const submit = useMay("submit");
  const manage = useMay("manage");

  function run(action: JobAction) {
    act.mutate(action, {
      onSuccess: () => {
        notifications.show({ color: "teal", message: DONE[action] });
        if (action === "delete") void navigate({ to: "/jobs" });
      },
      onError: (error) => notifications.show({ color: "red", title: `Could not ${action} the job`, message: error.message }),
      onSettled: () => setAsking(false),
    });
  }

  const able = (action: JobAction) => (action === "delete" ? manage : submit) && allows(job, action) && !act.isPending;
  const doing = (action: JobAction) => act.isPending && act.variables === action;
  return (
    <Group gap="xs">
      {job.paused ? (
        <Button leftSection={<IconPlayerPlay size={16} />} disabled={!able("resume")} loading={doing("resume")} onClick={() => run("resume")}>
          Resume
        </Button>
      ) : (
        <Button variant="default" leftSection={<IconPlayerPause size={16} />} disabled={!able("pause")} loading={doing("pause")} onClick={() => run("pause")}>
          Pause
        </Button>
      )}
      <Button variant="default" leftSection={<IconHandStop size={16} />} disabled={!able("cancel")} loading={doing("cancel")} onClick={() => run("cancel")}>
        Cancel
      </Button>
      <Button variant="default" leftSection={<IconRotateClockwise2 size={16} />} disabled={!able("retry")} loading={doing("retry")} onClick={() => run("retry")}>
        Retry
      </Button>
      <Button variant="light" color="red" leftSection={<IconTrash size={16} />} disabled={!able("delete")} onClick={() => setAsking(true)}>
        Delete
      </Button>
      <Confirm
        opened={asking}
        title={`Delete this ${kindOf(job.kind).label.toLowerCase()} job?`}
        action="Delete the job"
        busy={doing("delete")}
        onConfirm={() => run("delete")}
        onClose={() => setAsking(false)}
      >
        <strong>{summaryOf(job).title}</strong>: its result, logs and metrics go with it. Trained models and filled indexes stay.
      </Confirm>
    </Group>
  );
}
