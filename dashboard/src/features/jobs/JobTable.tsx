import { Checkbox } from "@mantine/core";
import type { Job } from "~/api/types";
import classes from "./JobTable.module.css";
import { JobRow } from "./JobRow";
import type { Selection } from "./useSelection";

interface Props {
  jobs: Job[];
  selection: Selection;
  stale: boolean;
  onOpen: (id: string) => void;
}

/** Jobs as rows; as cards where the screen is narrow. */
export function JobTable({ jobs, selection, stale, onOpen }: Props) {
  return (
    <table className={classes.table} data-stale={stale || undefined}>
      <thead>
        <tr>
          <th className={classes.check}>
            <Checkbox
              size="xs"
              aria-label="Select all loaded jobs"
              checked={selection.all}
              indeterminate={selection.some && !selection.all}
              onChange={selection.toggleAll}
            />
          </th>
          <th>Job</th>
          <th className={classes.state}>State</th>
          <th className={classes.progress}>Progress</th>
          <th className={classes.queue}>Queue</th>
          <th className={classes.attempt}><abbr title="Attempt of the most allowed">Try</abbr></th>
          <th className={classes.created}>Created</th>
          <th className={classes.took}>Took</th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <JobRow key={job.id} job={job} selected={selection.has(job.id)} onToggle={selection.toggle} onOpen={onOpen} />
        ))}
      </tbody>
    </table>
  );
}
