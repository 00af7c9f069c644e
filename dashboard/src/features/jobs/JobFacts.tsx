import { Group, Text } from "@mantine/core";
import type { Job } from "~/api/types";
import { useWorkerName } from "~/features/workers/queries";
import { Mono } from "~/ui/Copy";
import { type Fact, Facts } from "~/ui/Facts";
import { BadgeLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";

/** What is known of a job beside its state. */
export function JobFacts({ job }: { job: Job }) {
  const labels = Object.entries(job.labels);
  const worker = useWorkerName(job.worker);
  const facts: Fact[] = [
    { label: "Id", value: <Mono value={job.id} label="Copy the id" /> },
    { label: "Queue", value: job.queue },
    { label: "Attempt", value: `${job.attempt} of at most ${job.max_attempts}` },
    { label: "Priority", value: job.priority },
    { label: "Worker", value: worker ?? "none yet" },
    { label: "Created by", value: job.created_by ?? "–" },
    { label: "Created", value: <TimeAgo at={job.created_at} /> },
  ];
  if (job.next_attempt_at !== null) facts.splice(3, 0, { label: "Next attempt", value: <TimeAgo at={job.next_attempt_at} /> });
  if (labels.length > 0) facts.push({ label: "Labels", value: <Labels labels={labels} /> });
  return <Panel title="Details"><Facts facts={facts} /></Panel>;
}

function Labels({ labels }: { labels: [string, string][] }) {
  return (
    <Group gap={6}>
      {labels.map(([name, value]) => (
        <BadgeLink key={name} color="gray" to="/jobs" search={{ label: `${name}:${value}` }}>
          <Text span size="xs" c="dimmed">{name}</Text> {value}
        </BadgeLink>
      ))}
    </Group>
  );
}
