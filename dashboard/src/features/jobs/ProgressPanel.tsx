import { Group, Progress, Text } from "@mantine/core";
import type { Job } from "~/api/types";
import { percent, significant } from "~/format/number";
import { Panel } from "~/ui/Panel";
import { Figures } from "~/ui/Figures";
import { duration } from "~/format/time";
import { amount, isCounted, share } from "./outcome";

/** How far a running job is, how fast it goes and when it will be done. */
export function ProgressPanel({ job }: { job: Job }) {
  const { progress } = job;
  if (!isCounted(progress)) return null;
  const done = share(progress);
  const eta = progress.eta_seconds;
  // What an attempt reached is kept while the job waits for its next one; how fast it was says nothing then.
  const moving = job.state === "running" || job.state === "cancelling";
  return (
    <Panel title="Progress" hint={progress.phase}>
      <Group justify="space-between" align="baseline" mb={8}>
        <Text fz={26} fw={640} lts="-0.02em" className="tabular">{done === null ? amount(progress) : percent(done)}</Text>
        <Text size="sm" c="dimmed" className="tabular">{done !== null && amount(progress)}</Text>
      </Group>
      <Progress
        value={(done ?? 1) * 100}
        size={10}
        radius="xl"
        striped={done === null}
        animated={done === null}
        color={job.state === "cancelling" ? "yellow" : "brand"}
        aria-label="Progress"
        mb={moving ? "md" : 0}
      />
      {moving && (
        <Figures
          figures={[
            { label: "Rate", value: progress.rate === null ? "–" : `${significant(progress.rate)} ${progress.unit}/s` },
            { label: "Time left", value: eta === null ? "–" : duration(Math.max(1_000, eta * 1_000)) },
            { label: `Failed ${progress.unit}`, value: significant(progress.failed), tone: progress.failed > 0 ? "red" : undefined },
          ]}
        />
      )}
    </Panel>
  );
}
