import { Grid, SegmentedControl, Stack, Title } from "@mantine/core";
import { lazy, Suspense } from "react";
import { QueueCharts } from "~/features/queues/QueueCharts";
import { QueuesPanel } from "~/features/queues/QueuesPanel";
import { WorkersPanel } from "~/features/workers/WorkersPanel";
import { Loading } from "~/ui/Blank";
import { PageHeader } from "~/ui/PageHeader";
import { Panel } from "~/ui/Panel";
import { RecentFailures } from "./RecentFailures";
import { RANGES, type Range } from "./ranges";
import { StateCounters } from "./StateCounters";

const TrainingPerformance = lazy(() => import("~/features/workers/TrainingPerformance").then((module) => ({ default: module.TrainingPerformance })));

interface Props {
  range: Range;
  onRange: (range: Range) => void;
}

/** What the installation is doing now, and what it did over the last while. */
export function Overview({ range, onRange }: Props) {
  const { ms } = RANGES[range];
  return (
    <>
      <PageHeader
        name="Overview"
        actions={
          <SegmentedControl
            aria-label="Period of the charts"
            size="xs"
            data={Object.entries(RANGES).map(([value, { label }]) => ({ value, label }))}
            value={range}
            onChange={(value) => onRange(value as Range)}
          />
        }
      />
      <Stack gap="md">
        <StateCounters />
        <QueueCharts windowMs={ms} />
        <Grid gap="md">
          <Grid.Col span={{ base: 12, lg: 8 }}><QueuesPanel /></Grid.Col>
          <Grid.Col span={{ base: 12, lg: 4 }}><RecentFailures /></Grid.Col>
        </Grid>
        <Title order={2} mt={6}>Workers</Title>
        <WorkersPanel windowMs={ms} />
        <Suspense fallback={<Panel title="Training performance"><Loading rows={6} /></Panel>}><TrainingPerformance /></Suspense>
      </Stack>
    </>
  );
}
