import { SimpleGrid, Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { count, significant } from "~/format/number";
import { Failure } from "~/ui/Blank";
import { Panel } from "~/ui/Panel";
import { TimeChart } from "~/ui/TimeChart";
import { queueSamples } from "./queries";
import { depths, throughput } from "./series";

const QUEUE_SERIES = [
  { name: "train", label: "train", color: "violet.5" },
  { name: "index", label: "index", color: "brand.5" },
  { name: "search", label: "search", color: "cyan.5" },
  { name: "maintenance", label: "maintenance", color: "gray.5" },
];
const END_SERIES = [
  { name: "succeeded", label: "succeeded", color: "teal.6" },
  { name: "failed", label: "failed", color: "red.6" },
];

/** How many jobs waited, and how many ended, over the last while. */
export function QueueCharts({ windowMs }: { windowMs: number }) {
  const samples = useQuery(queueSamples(windowMs));
  const to = samples.dataUpdatedAt;
  const rows = useMemo(() => {
    const data = samples.data ?? [];
    return { depths: depths(data, windowMs, to), ends: throughput(data, windowMs, to) };
  }, [samples.data, windowMs, to]);

  if (samples.isError && samples.data === undefined) {
    return <Panel title="Queues over time"><Failure error={samples.error} onRetry={() => void samples.refetch()} /></Panel>;
  }
  const range = { from: to - windowMs, to };
  const last = rows.ends.at(-1);
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
      <Panel title="Waiting jobs" hint="by queue">
        {samples.isPending ? <Skeleton height={250} /> : (
          <TimeChart {...range} stacked calm="Nothing waited" data={rows.depths} series={QUEUE_SERIES} format={count} height={230} label="Waiting jobs by queue over time" />
        )}
      </Panel>
      <Panel title="Finished jobs" hint={last ? `${significant(last.succeeded)} a minute now` : "per minute"}>
        {samples.isPending ? <Skeleton height={250} /> : (
          <TimeChart {...range} stacked calm="Nothing finished" data={rows.ends} series={END_SERIES} format={(value) => `${significant(value)}/min`} tick={count} height={230} label="Finished jobs per minute over time" />
        )}
      </Panel>
    </SimpleGrid>
  );
}
