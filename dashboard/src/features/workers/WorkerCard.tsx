import { Badge, Group, Text, ThemeIcon, Tooltip } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconCpu, IconCpu2 } from "@tabler/icons-react";
import { useMemo } from "react";
import type { Worker } from "~/api/types";
import { bytes } from "~/format/number";
import { kindOf } from "~/features/jobs/kinds";
import { AnchorLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";
import { TimeChart } from "~/ui/TimeChart";
import { Engines } from "./Engines";
import { workerSamples } from "./queries";
import { deviceUse } from "./series";
import classes from "./WorkerCard.module.css";

const STATE_COLORS: Record<string, string> = { ready: "teal", starting: "brand", draining: "yellow", stopped: "gray", lost: "red" };
const STATE_HINTS: Record<string, string> = {
  ready: "Takes jobs",
  starting: "Warming up its device",
  draining: "Finishes what it has and stops",
  stopped: "Has stopped",
  lost: "Has not been heard of; its jobs go to others",
};

interface Props {
  worker: Worker;
  windowMs: number;
  /** It has the width of the page to itself. */
  wide?: boolean;
}

/** One worker: its device, what it does now, and how busy the device was. */
export function WorkerCard({ worker, windowMs, wide = false }: Props) {
  const samples = useQuery(workerSamples(worker.id, windowMs));
  const to = samples.dataUpdatedAt;
  const rows = useMemo(() => deviceUse(samples.data ?? [], windowMs, to), [samples.data, windowMs, to]);
  const isGpu = worker.device.startsWith("cuda");
  const range = { from: to - windowMs, to, data: rows, full: wide, height: wide ? 150 : 68 };
  const total = worker.memory_total_bytes;
  // What a lost worker said last says nothing of now.
  const lost = worker.state === "lost";
  const [busy, used] = lost ? [null, null] : [worker.utilisation_percent, worker.memory_used_bytes];

  return (
    <Panel>
      <Group justify="space-between" wrap="nowrap" align="flex-start" mb={12}>
        <Group gap={12} wrap="nowrap" miw={0}>
          <ThemeIcon variant="light" color={isGpu ? "teal" : "gray"} size={36} aria-hidden>
            {isGpu ? <IconCpu2 size={20} /> : <IconCpu size={20} />}
          </ThemeIcon>
          <div style={{ minWidth: 0 }}>
            <Text fw={620} size="sm" truncate title={worker.device_name}>{worker.device_name}</Text>
            <Text size="xs" c="dimmed" truncate>{[worker.name, worker.device, worker.engine, worker.version].filter(Boolean).join(" · ")}</Text>
          </div>
        </Group>
        <Tooltip label={STATE_HINTS[worker.state] ?? worker.state}>
          <Badge color={STATE_COLORS[worker.state] ?? "gray"} tabIndex={0}>{worker.state}</Badge>
        </Tooltip>
      </Group>
      <div className={classes.meters} data-wide={wide || undefined}>
        <div>
          <Reading label="Utilisation" value={busy === null ? "–" : `${Math.round(busy)} %`} />
          <TimeChart {...range} series={[{ name: "utilisation", label: "Utilisation", color: "brand.6" }]} max={100} format={(value) => `${value} %`} scaleWidth={56} label={`Utilisation of ${worker.device_name}`} />
        </div>
        <div>
          <Reading label="Memory" value={bytes(used)} of={total === null ? undefined : bytes(total)} />
          <TimeChart {...range} series={[{ name: "memory", label: "Memory", color: "violet.5" }]} max={total ?? undefined} format={bytes} scaleWidth={74} label={`Memory of ${worker.device_name}`} />
        </div>
      </div>
      <Engines engines={worker.engines} />
      <Group justify="space-between" mt={12} gap="xs" className={classes.foot}>
        {lost ? <Text size="xs" c="dimmed">{STATE_HINTS.lost}</Text> : <Jobs worker={worker} />}
        <Text size="xs" c="dimmed" component="div">seen <TimeAgo at={worker.last_seen} /></Text>
      </Group>
    </Panel>
  );
}

function Reading({ label, value, of }: { label: string; value: string; of?: string | undefined }) {
  return (
    <div className={classes.reading}>
      <Text size="xs" c="dimmed" component="span">{label}</Text>
      <Text component="span" fz={20} fw={640} lts="-0.02em" className="tabular">{value}</Text>
      {of !== undefined && <Text component="span" size="xs" c="dimmed" className="tabular">of {of}</Text>}
    </div>
  );
}

function Jobs({ worker }: { worker: Worker }) {
  const shown = worker.jobs.slice(0, 3);
  if (shown.length === 0) return <Text size="xs" c="dimmed">Idle, serves {worker.queues.join(", ")}</Text>;
  return (
    <Group gap={8}>
      <Text size="xs" c="dimmed">Now</Text>
      {shown.map((job) => (
        <AnchorLink key={job.id} to="/jobs/$id" params={{ id: job.id }} size="xs" fw={550}>{kindOf(job.kind).label} …{job.id.slice(-4)}</AnchorLink>
      ))}
      {worker.jobs.length > shown.length && <Text size="xs" c="dimmed">+{worker.jobs.length - shown.length}</Text>}
    </Group>
  );
}
