import { Checkbox, Text } from "@mantine/core";
import { memo, type MouseEvent } from "react";
import type { Job } from "~/api/types";
import { between, duration } from "~/format/time";
import { useNow } from "~/ui/now";
import { TimeAgo } from "~/ui/TimeAgo";
import { JobProgress } from "./JobProgress";
import { JobTitle } from "./JobTitle";
import classes from "./JobTable.module.css";
import { kindOf, summaryOf } from "./kinds";
import { StateBadge } from "./StateBadge";

interface Props {
  job: Job;
  selected: boolean;
  onToggle: (id: string, range: boolean) => void;
  onOpen: (id: string) => void;
}

export const JobRow = memo(function JobRow({ job, selected, onToggle, onOpen }: Props) {
  const name = `${kindOf(job.kind).label} ${summaryOf(job).title}`;
  return (
    <tr
      className={classes.row}
      tabIndex={-1}
      data-job={job.id}
      data-selected={selected || undefined}
      onClick={() => onOpen(job.id)}
      onKeyDown={(event) => {
        if (event.target === event.currentTarget && event.key === "Enter") onOpen(job.id);
      }}
    >
      <td className={classes.check} onClick={(event) => event.stopPropagation()}>
        <Checkbox
          aria-label={`Select ${name}`}
          size="xs"
          checked={selected}
          onChange={() => undefined}
          onClick={(event: MouseEvent) => onToggle(job.id, event.shiftKey)}
        />
      </td>
      <td className={classes.title}><JobTitle job={job} /></td>
      <td className={classes.state}><StateBadge state={job.state} paused={job.paused} /></td>
      <td className={classes.progress}><JobProgress job={job} /></td>
      <td className={classes.queue}><Text size="sm" c="dimmed">{job.queue}</Text></td>
      <td className={classes.attempt}>
        <Text size="sm" c={job.attempt > 1 ? "orange" : "dimmed"} className="tabular">{job.attempt}/{job.max_attempts}</Text>
      </td>
      <td className={classes.created}><Text size="sm" c="dimmed" component="div"><TimeAgo at={job.created_at} /></Text></td>
      <td className={classes.took}><Took job={job} /></td>
    </tr>
  );
});

function Took({ job }: { job: Job }) {
  const now = useNow();
  const text = job.started_at === null ? "–" : duration(between(job.started_at, job.finished_at, now));
  return <Text size="sm" c="dimmed" className="tabular">{text}</Text>;
}
