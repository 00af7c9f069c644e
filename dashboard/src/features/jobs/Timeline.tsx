import { Text } from "@mantine/core";
import type { Job } from "~/api/types";
import { duration } from "~/format/time";
import { useNow } from "~/ui/now";
import { TimeAgo } from "~/ui/TimeAgo";
import { timeline } from "./timeline";
import classes from "./Timeline.module.css";

/** When the job was created, began and ended, with clocks that run while it does. */
export function Timeline({ job }: { job: Job }) {
  const now = useNow();
  return (
    <ol className={classes.line} aria-label="Timeline">
      {timeline(job, now).map((step, index) => (
        <li key={step.label} className={classes.step} data-come={step.at !== null || undefined}>
          {index > 0 && (
            <div className={classes.between} data-running={step.before?.running === true ? "" : undefined}>
              <Text size="xs" c={step.before?.running ? undefined : "dimmed"} fw={step.before?.running ? 600 : 400} className="tabular">
                {step.before !== null && `${step.before.label} ${duration(step.before.ms)}`}
              </Text>
              <span className={classes.bar} />
            </div>
          )}
          <div className={classes.node}>
            <span className={classes.dot} style={{ "--tone": `var(--mantine-color-${step.color}-${step.color === "gray" ? 5 : 6})` }} />
            <Text size="sm" fw={600} c={step.at === null ? "dimmed" : undefined}>{step.label}</Text>
            <Text size="xs" c="dimmed" component="div"><TimeAgo at={step.at} absent="not yet" /></Text>
          </div>
        </li>
      ))}
    </ol>
  );
}
