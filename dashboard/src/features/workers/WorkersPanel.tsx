import { SimpleGrid, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconServerOff } from "@tabler/icons-react";
import { counted } from "~/format/number";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { Panel } from "~/ui/Panel";
import { workerList } from "./queries";
import { WorkerCard } from "./WorkerCard";

/** Every worker with its device. */
export function WorkersPanel({ windowMs }: { windowMs: number }) {
  const workers = useQuery(workerList);
  if (workers.data === undefined) {
    return (
      <Panel>
        {workers.isError ? <Failure error={workers.error} onRetry={() => void workers.refetch()} /> : <Loading rows={5} />}
      </Panel>
    );
  }
  const present = workers.data.filter(({ state }) => state !== "stopped");
  const alone = present.length === 1;
  const stopped = workers.data.length - present.length;
  if (present.length === 0) {
    return (
      <Panel>
        <Empty icon={<IconServerOff size={22} />} title="No worker is running">
          Jobs wait until one is. <code>lookalike up</code> starts one by itself; elsewhere, run <code>lookalike-worker run</code>.
        </Empty>
      </Panel>
    );
  }
  return (
    <>
      <SimpleGrid cols={alone ? 1 : { base: 1, md: 2, xl: present.length > 2 ? 3 : 2 }} spacing="md">
        {present.map((worker) => <WorkerCard key={worker.id} worker={worker} windowMs={windowMs} wide={alone} />)}
      </SimpleGrid>
      {stopped > 0 && <Text size="sm" c="dimmed">{counted(stopped, "worker")} stopped within the last day.</Text>}
    </>
  );
}
