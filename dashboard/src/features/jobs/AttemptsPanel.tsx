import { Group, Stack, Text } from "@mantine/core";
import { IconHistory } from "@tabler/icons-react";
import { useState } from "react";
import type { Job } from "~/api/types";
import { between, duration } from "~/format/time";
import { useLive } from "~/live/useLive";
import { Empty, Loading } from "~/ui/Blank";
import { useNow } from "~/ui/now";
import { TimeAgo } from "~/ui/TimeAgo";
import { type Attempt, withEvent } from "./attempts";
import classes from "./AttemptsPanel.module.css";
import { StateBadge } from "./StateBadge";
import { isFinal } from "./states";

/** Each attempt of a job: when it ran, how it ended, and why. */
export function AttemptsPanel({ job }: { job: Job }) {
  const [attempts, setAttempts] = useState<Attempt[]>([]);
  const status = useLive(
    `/v1/jobs/${job.id}/events`,
    (type, event) => event !== null && setAttempts((known) => withEvent(known, type, event)),
    (type) => type === "succeeded" || type === "failed" || type === "cancelled" || type === "deleted",
  );
  if (attempts.length === 0 && status === "connecting") return <Loading rows={3} />;
  if (attempts.length === 0) {
    return (
      <Empty icon={<IconHistory size={22} />} title="No attempt on record">
        {isFinal(job.state) ? "The events of this job are no longer kept." : "An attempt shows up once a worker has taken the job."}
      </Empty>
    );
  }
  return <Stack gap={0}>{attempts.map((attempt) => <Row key={attempt.startedAt} attempt={attempt} />).reverse()}</Stack>;
}

function Row({ attempt }: { attempt: Attempt }) {
  const now = useNow();
  return (
    <div className={classes.row}>
      <Group justify="space-between" gap="sm">
        <Group gap="sm">
          <Text fw={600} size="sm">Attempt {attempt.number}</Text>
          <StateBadge state={attempt.end ?? "running"} />
          {attempt.end === "queued" && <Text size="sm" c="dimmed">handed back, not used up</Text>}
        </Group>
        <Text size="sm" c="dimmed" component="div" className="tabular">
          <TimeAgo at={attempt.startedAt} /> · {duration(between(attempt.startedAt, attempt.endedAt, now))}
        </Text>
      </Group>
      {attempt.error !== null && (
        <Text size="sm" c="red" mt={6}><span className="mono">{attempt.error.code}</span> {attempt.error.detail}</Text>
      )}
    </div>
  );
}
