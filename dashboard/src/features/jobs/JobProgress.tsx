import { Group, Progress, Text } from "@mantine/core";
import type { Job } from "~/api/types";
import { percent } from "~/format/number";
import { useNow } from "~/ui/now";
import { amount, isCounted, outcome, remaining, share } from "./outcome";

/** One cell that says where the job stands: a bar with its ETA while it runs, one line otherwise. */
export function JobProgress({ job }: { job: Job }) {
  const now = useNow();
  const moving = job.state === "running" || job.state === "cancelling";
  if (!moving || !isCounted(job.progress)) {
    const text = outcome(job, now);
    return <Text size="sm" c={job.state === "failed" ? "red" : "dimmed"} lineClamp={2} title={text}>{text}</Text>;
  }
  const done = share(job.progress);
  const value = done === null ? 100 : done * 100;
  return (
    <div title={amount(job.progress)}>
      <Progress
        value={value}
        size={6}
        animated={done === null}
        striped={done === null}
        color={job.state === "cancelling" ? "yellow" : "brand"}
        aria-label={`Progress: ${amount(job.progress)}`}
      />
      <Group justify="space-between" gap={8} mt={5} wrap="nowrap">
        <Text size="xs" c="dimmed" truncate>{job.progress.phase}{done !== null && ` · ${percent(done, 0)}`}</Text>
        <Text size="xs" c="dimmed" className="tabular" style={{ whiteSpace: "nowrap" }}>{remaining(job.progress)}</Text>
      </Group>
    </div>
  );
}
