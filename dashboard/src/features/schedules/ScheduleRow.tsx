import { ActionIcon, Badge, Group, Menu, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconDots, IconPlayerPause, IconPlayerPlay, IconPlayerTrackNext, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import type { Schedule } from "~/api/types";
import { StateBadge } from "~/features/jobs/StateBadge";
import { useMay } from "~/features/session/useMay";
import { duration } from "~/format/time";
import { Confirm } from "~/ui/Confirm";
import { AnchorLink } from "~/ui/links";
import { TimeAgo } from "~/ui/TimeAgo";
import { type ScheduleAction, useScheduleAction } from "./queries";
import classes from "./SchedulesPanel.module.css";
import { missed, place, rhythm } from "./words";

const DONE: Record<ScheduleAction, string> = {
  run: "A job was enqueued.",
  pause: "The schedule is paused.",
  resume: "The schedule is due again.",
  delete: "The schedule was deleted.",
};

/** One schedule: when it is due, how its last job went, and what can be done with it. */
export function ScheduleRow({ schedule }: { schedule: Schedule }) {
  const { jitter_seconds: jitter, last_job: job, next_at: next, paused } = schedule;
  const skipped = missed(schedule.skipped);
  return (
    <li className={classes.item}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Group gap={8} wrap="nowrap" miw={0}>
          <Text fw={600} size="sm" truncate>{schedule.name}</Text>
          {paused && <Badge color="orange" size="sm" miw="fit-content">Paused</Badge>}
        </Group>
        <Actions schedule={schedule} />
      </Group>
      <Text size="xs" c="dimmed" className={classes.line}>
        {schedule.mode === "sync" ? "Follows" : "Adds from"} <span className="mono">{place(schedule)}</span> {rhythm(schedule)}
        {jitter > 0 && <>, up to {duration(jitter * 1_000)} later</>}
      </Text>
      {!paused && (
        <Text size="xs" component="div" mt={4}>Next <TimeAgo at={next} absent="never: its rule cannot be read any more" /></Text>
      )}
      {job !== null && (
        <Group gap={8} mt={6}>
          <StateBadge state={job.state} />
          <AnchorLink size="xs" to="/jobs/$id" params={{ id: job.id }}>Last job, <TimeAgo at={job.created_at} /></AnchorLink>
        </Group>
      )}
      {job?.error && <Text size="xs" c="red" mt={4} className={classes.line}>{job.error.detail}</Text>}
      {skipped !== null && (
        <Text size="xs" c="dimmed" component="div" mt={4}>{skipped}, last <TimeAgo at={schedule.last_skipped_at} /></Text>
      )}
    </li>
  );
}

function Actions({ schedule: { name, paused, running } }: { schedule: Schedule }) {
  const [asking, setAsking] = useState(false);
  const act = useScheduleAction(name);
  const submit = useMay("submit");
  const manage = useMay("manage");
  const busy = act.isPending;

  function run(action: ScheduleAction) {
    act.mutate(action, {
      onSuccess: () => notifications.show({ color: "teal", message: DONE[action] }),
      onError: (error) => notifications.show({ color: "red", title: `Could not ${action} ${name}`, message: error.message }),
      onSettled: () => setAsking(false),
    });
  }

  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon aria-label={`Actions of the schedule ${name}`} loading={busy}><IconDots size={16} /></ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPlayerTrackNext size={16} />} disabled={!submit || running !== null} onClick={() => run("run")}>
            {running === null ? "Run now" : "It runs already"}
          </Menu.Item>
          {paused ? (
            <Menu.Item leftSection={<IconPlayerPlay size={16} />} disabled={!manage} onClick={() => run("resume")}>Resume</Menu.Item>
          ) : (
            <Menu.Item leftSection={<IconPlayerPause size={16} />} disabled={!manage} onClick={() => run("pause")}>Pause</Menu.Item>
          )}
          <Menu.Divider />
          <Menu.Item color="red" leftSection={<IconTrash size={16} />} disabled={!manage} onClick={() => setAsking(true)}>Delete</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Confirm opened={asking} title={`Delete the schedule ${name}?`} action="Delete the schedule" busy={busy} onConfirm={() => run("delete")} onClose={() => setAsking(false)}>
        The index does not follow its source any more. What is in it stays, and so do the jobs; one that runs goes on.
      </Confirm>
    </>
  );
}
