import { Box, Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { IconCalendarRepeat, IconPlus } from "@tabler/icons-react";
import { useMay } from "~/features/session/useMay";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { Panel } from "~/ui/Panel";
import { NewScheduleModal } from "./NewScheduleModal";
import { schedulesOf } from "./queries";
import { ScheduleRow } from "./ScheduleRow";
import classes from "./SchedulesPanel.module.css";

/** What keeps an index like its source, and how that goes. */
export function SchedulesPanel({ index }: { index: string }) {
  const schedules = useQuery(schedulesOf(index));
  const manage = useMay("manage");
  const [making, { open, close }] = useDisclosure(false);
  return (
    <Panel
      title="Schedules"
      flush
      actions={
        <Button size="compact-sm" variant="default" leftSection={<IconPlus size={14} />} disabled={!manage} onClick={open}>New schedule</Button>
      }
    >
      {schedules.isPending && <Box p={18}><Loading rows={2} /></Box>}
      {schedules.isError && schedules.data === undefined && <Failure error={schedules.error} onRetry={() => void schedules.refetch()} />}
      {schedules.data?.length === 0 && (
        <Empty icon={<IconCalendarRepeat size={22} />} title="Nothing is scheduled">
          A schedule reads a source again and again, so that the index follows what is there.
        </Empty>
      )}
      {schedules.data !== undefined && schedules.data.length > 0 && (
        <ul className={classes.list}>
          {schedules.data.map((schedule) => <ScheduleRow key={schedule.name} schedule={schedule} />)}
        </ul>
      )}
      {making && <NewScheduleModal index={index} onClose={close} />}
    </Panel>
  );
}
