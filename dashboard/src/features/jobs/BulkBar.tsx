import { Button, Group, Paper, Text, Transition } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconHandStop, IconPlayerPause, IconPlayerPlay, IconRotateClockwise2, IconTrash, IconX } from "@tabler/icons-react";
import { useState } from "react";
import type { Job, JobAction } from "~/api/types";
import { counted } from "~/format/number";
import { useMay } from "~/features/session/useMay";
import { Confirm } from "~/ui/Confirm";
import classes from "./BulkBar.module.css";
import type { JobSearch } from "./filter";
import { useBulkAction } from "./actions";
import { allows } from "./states";
import type { Selection } from "./useSelection";

const ACTIONS: { action: JobAction; label: string; icon: typeof IconTrash }[] = [
  { action: "pause", label: "Pause", icon: IconPlayerPause },
  { action: "resume", label: "Resume", icon: IconPlayerPlay },
  { action: "cancel", label: "Cancel", icon: IconHandStop },
  { action: "retry", label: "Retry", icon: IconRotateClockwise2 },
  { action: "delete", label: "Delete", icon: IconTrash },
];

const DONE: Record<JobAction, string> = { cancel: "Cancelled", retry: "Sent back", delete: "Deleted", pause: "Paused", resume: "Resumed" };

/** What is said before an action on many jobs. */
const ASKED: Record<JobAction, string> = {
  delete: "Their results, logs and metrics go with them. Trained models and filled indexes stay.",
  cancel: "Running jobs stop at their next batch and keep what they have stored so far.",
  retry: "They go back to their queues and start a new attempt.",
  pause: "Running jobs stop at their next batch and keep what they have done. None starts until it is resumed.",
  resume: "They go on once workers are free.",
};

/** What can be taken back needs no second question for a few jobs. */
const GENTLE: JobAction[] = ["retry", "pause", "resume"];

interface Props {
  jobs: Job[];
  selection: Selection;
  filter: JobSearch;
  more: boolean;
}

/** What can be done with the picked jobs, or with all that match the filter. */
export function BulkBar({ jobs, selection, filter, more }: Props) {
  const [asked, setAsked] = useState<JobAction | null>(null);
  const [matching, setMatching] = useState(false);
  const bulk = useBulkAction();
  const manage = useMay("manage");
  const picked = jobs.filter((job) => selection.has(job.id));
  const everything = matching && selection.all;
  const what = everything ? "all matching jobs" : counted(picked.length, "job");

  function run(action: JobAction) {
    const target = everything ? { matching: filter } : { ids: picked.filter((job) => allows(job, action)).map((job) => job.id) };
    bulk.mutate({ action, target }, {
      onSuccess: ({ affected }) => {
        notifications.show({ color: "teal", message: `${DONE[action]} ${counted(affected, "job")}.` });
        selection.clear();
        setMatching(false);
      },
      onError: (error) => notifications.show({ color: "red", title: `Could not ${action} ${what}`, message: error.message }),
      onSettled: () => setAsked(null),
    });
  }

  return (
    <>
      <Transition mounted={selection.some} transition="slide-up" duration={160}>
        {(style) => (
          <Paper className={classes.bar} style={style} role="toolbar" aria-label="Selected jobs">
            <Group gap={8} wrap="nowrap">
              <Button variant="subtle" color="gray" px={8} aria-label="Clear the selection" onClick={selection.clear}><IconX size={16} /></Button>
              <Text size="sm" fw={600} style={{ whiteSpace: "nowrap" }}>{everything ? "All matching" : `${picked.length} selected`}</Text>
              {more && selection.all && !everything && (
                <Button variant="subtle" onClick={() => setMatching(true)}>Select all matching</Button>
              )}
            </Group>
            <Group gap={8} wrap="nowrap">
              {ACTIONS.map(({ action, label, icon: Icon }) => {
                const able = everything ? picked.length : picked.filter((job) => allows(job, action)).length;
                return (
                  <Button
                    key={action}
                    variant={action === "delete" ? "light" : "default"}
                    color={action === "delete" ? "red" : undefined}
                    leftSection={<Icon size={15} />}
                    disabled={able === 0 || (action === "delete" && !manage)}
                    onClick={() => (GENTLE.includes(action) && !everything ? run(action) : setAsked(action))}
                  >
                    {label}{!everything && able > 0 && able < picked.length ? ` ${able}` : ""}
                  </Button>
                );
              })}
            </Group>
          </Paper>
        )}
      </Transition>
      <Confirm
        opened={asked !== null}
        title={`${labelOf(asked)} ${what}?`}
        action={`${labelOf(asked)} them`}
        danger={asked !== null && !GENTLE.includes(asked)}
        busy={bulk.isPending}
        onConfirm={() => asked !== null && run(asked)}
        onClose={() => setAsked(null)}
      >
        {asked !== null && ASKED[asked]}
      </Confirm>
    </>
  );
}

function labelOf(action: JobAction | null): string {
  return ACTIONS.find((each) => each.action === action)?.label ?? "";
}
