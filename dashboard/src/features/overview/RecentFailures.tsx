import { Box, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { IconCircleCheck } from "@tabler/icons-react";
import { KindIcon } from "~/features/jobs/JobTitle";
import { kindOf, summaryOf } from "~/features/jobs/kinds";
import { jobList } from "~/features/jobs/queries";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { AnchorLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";
import classes from "./RecentFailures.module.css";

/** The latest jobs that failed, with their reasons. */
export function RecentFailures() {
  const failed = useInfiniteQuery(jobList({ state: "failed" }, 4));
  const jobs = failed.data?.pages[0]?.items ?? [];
  return (
    <Panel flush title="Recent failures" actions={jobs.length > 0 && <AnchorLink to="/jobs" search={{ state: "failed" }} size="sm">All</AnchorLink>}>
      {failed.isPending && <Box p={18}><Loading rows={4} height={26} /></Box>}
      {failed.isError && failed.data === undefined && <Failure error={failed.error} onRetry={() => void failed.refetch()} />}
      {failed.isSuccess && jobs.length === 0 && <Empty icon={<IconCircleCheck size={22} />} title="Nothing has failed" />}
      <ul className={classes.list}>
        {jobs.map((job) => (
          <li key={job.id}>
            <Link to="/jobs/$id" params={{ id: job.id }} className={classes.item}>
              <KindIcon kind={job.kind} size={26} />
              <div className={classes.text}>
                <Text size="sm" fw={600} truncate>
                  {kindOf(job.kind).label} {summaryOf(job).title}
                </Text>
                <Text size="xs" c="red" truncate title={job.error?.detail}>{job.error?.detail ?? "No reason given"}</Text>
              </div>
              <Text size="xs" c="dimmed" component="div"><TimeAgo at={job.finished_at} /></Text>
            </Link>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
