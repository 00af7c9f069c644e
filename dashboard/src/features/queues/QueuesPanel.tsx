import { Badge, Box, Button, Group, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import type { Queue } from "~/api/types";
import { compact, count, significant } from "~/format/number";
import { duration } from "~/format/time";
import { useMay } from "~/features/session/useMay";
import { Failure, Loading } from "~/ui/Blank";
import { AnchorLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { queueList, usePause } from "./queries";
import classes from "./QueuesPanel.module.css";

/** Every queue: what waits, what runs, how fast it goes; with pause and resume. */
export function QueuesPanel() {
  const queues = useQuery(queueList);
  return (
    <Panel title="Queues" flush>
      {queues.isPending && <Box p={18}><Loading rows={4} height={26} /></Box>}
      {queues.isError && queues.data === undefined && <Failure error={queues.error} onRetry={() => void queues.refetch()} />}
      {queues.data !== undefined && (
        <table className={classes.table}>
          <thead>
            <tr>
              <th>Queue</th>
              <th className={classes.number}>Waiting</th>
              <th className={classes.number}>Running</th>
              <th className={`${classes.number} ${classes.wide}`}>Scheduled</th>
              <th className={`${classes.number} ${classes.wide}`}>Retrying</th>
              <th className={`${classes.number} ${classes.wide}`}>Oldest waits</th>
              <th className={classes.number}>Done/min</th>
              <th aria-label="Actions" />
            </tr>
          </thead>
          <tbody>{queues.data.map((queue) => <Row key={queue.name} queue={queue} />)}</tbody>
        </table>
      )}
    </Panel>
  );
}

function Row({ queue }: { queue: Queue }) {
  const stuck = !queue.paused && (queue.oldest_age_seconds ?? 0) > 600;
  return (
    <tr>
      <td>
        <Group gap={8} wrap="nowrap">
          <AnchorLink to="/jobs" search={{ queue: queue.name }} c="inherit" fw={600} size="sm">{queue.name}</AnchorLink>
          {queue.paused && <Badge color="orange" size="sm">Paused</Badge>}
        </Group>
      </td>
      <td className={classes.number}>{compact(queue.depth)}</td>
      <td className={classes.number}>{compact(queue.running)}</td>
      <td className={`${classes.number} ${classes.wide}`}>{count(queue.scheduled)}</td>
      <td className={`${classes.number} ${classes.wide}`}>{count(queue.retrying)}</td>
      <td className={`${classes.number} ${classes.wide}`}>
        <Text span inherit c={stuck ? "orange" : undefined}>
          {queue.oldest_age_seconds === null ? "–" : duration(queue.oldest_age_seconds * 1_000)}
        </Text>
      </td>
      <td className={classes.number}>
        {significant(queue.finished_per_minute)}
        {queue.failed_per_minute > 0 && <Text span inherit c="red" title="failed per minute"> · {significant(queue.failed_per_minute)}</Text>}
      </td>
      <td className={classes.action}><PauseButton queue={queue} /></td>
    </tr>
  );
}

function PauseButton({ queue }: { queue: Queue }) {
  const pause = usePause();
  const allowed = useMay("manage");
  const Icon = queue.paused ? IconPlayerPlay : IconPlayerPause;
  const word = queue.paused ? "Resume" : "Pause";
  return (
    <Button
      size="compact-sm"
      variant={queue.paused ? "light" : "default"}
      leftSection={<Icon size={14} aria-hidden />}
      classNames={{ root: classes.pause ?? "", label: classes.word ?? "", section: classes.icon ?? "" }}
      aria-label={`${word} ${queue.name}`}
      disabled={!allowed}
      onClick={() => pause.mutate({ name: queue.name, paused: !queue.paused }, {
        onError: (error) => notifications.show({ color: "red", title: `Could not ${word.toLowerCase()} ${queue.name}`, message: error.message }),
      })}
    >
      {word}
    </Button>
  );
}
