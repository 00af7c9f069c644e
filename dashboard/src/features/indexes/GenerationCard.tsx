import { Alert, Button, Group, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useState } from "react";
import type { Job, StoredGeneration } from "~/api/types";
import { placeOf } from "~/features/evaluations/figures";
import { JobProgress } from "~/features/jobs/JobProgress";
import { jobById } from "~/features/jobs/queries";
import { useMay } from "~/features/session/useMay";
import { bytes, count, counted } from "~/format/number";
import { type Fact, Facts } from "~/ui/Facts";
import { AnchorLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";
import { type Measurement, type Standing } from "./evaluations";
import { GenerationBadge } from "./GenerationBadge";
import { GenerationConfirm } from "./GenerationConfirm";

interface Props {
  index: string;
  generation: StoredGeneration;
  standing: Standing;
  /** The one of its measurements whose figures are shown. */
  measurement: Measurement | null;
  onMeasure: () => void;
}

/** One side of a comparison: what the generation is, how it was measured, and what can be done with it. */
export function GenerationCard({ index, generation, standing, measurement, onMeasure }: Props) {
  const [asked, setAsked] = useState(false);
  const manage = useMay("manage");
  const submit = useMay("submit");
  const { id, state, ready_at, activated_at, created_at } = generation;
  const last = activated_at !== null ? { label: "Activated", at: activated_at } : { label: "Made", at: ready_at ?? created_at };
  const facts: Fact[] = [
    { label: "Model", value: <ModelLink reference={generation.model} /> },
    { label: "Pictures", value: `${count(generation.entries)}, ${bytes(generation.size_bytes)}` },
    { label: last.label, value: <TimeAgo at={last.at} /> },
    { label: "Measured", value: measurement === null ? "not yet" : <Measured {...measurement} /> },
    ...(standing.running === null ? [] : [{ label: "Measuring", value: <Running job={standing.running} /> }]),
  ];
  return (
    <Panel title={`Generation ${id}`} actions={<GenerationBadge state={state} />}>
      <Stack gap="sm">
        <Facts facts={facts} />
        {standing.failed !== null && (
          <Alert color="red" icon={<IconAlertTriangle size={18} />} title="Its last evaluation failed">
            {standing.failed.error?.detail}{" "}
            <AnchorLink size="sm" to="/jobs/$id" params={{ id: standing.failed.id }}>Look at the job</AnchorLink>
          </Alert>
        )}
        <Group gap="xs">
          <Button size="xs" variant="default" disabled={!submit || standing.running !== null} onClick={onMeasure}>{measurement === null ? "Measure" : "Measure again"}</Button>
          {state !== "active" && <Button size="xs" variant="default" disabled={!manage} onClick={() => setAsked(true)}>Activate</Button>}
        </Group>
      </Stack>
      <GenerationConfirm index={index} generation={generation} asked={asked ? "activate" : null} onClose={() => setAsked(false)} />
    </Panel>
  );
}

function ModelLink({ reference }: { reference: string }) {
  const [name = "", version = ""] = reference.split("@");
  return <AnchorLink size="sm" to="/models/$name" params={{ name }} search={{ version: Number(version) || undefined }}>{reference}</AnchorLink>;
}

function Measured({ job, at, setup, result }: Measurement) {
  return <><AnchorLink size="sm" to="/jobs/$id" params={{ id: job }}><TimeAgo at={at} /></AnchorLink> with {placeOf(setup)}, {counted(result.queries, "query", "queries")}</>;
}

/** The job as it goes on; events are written into the one that is kept by its id. */
function Running({ job }: { job: Job }) {
  const { data = job } = useQuery(jobById(job.id));
  return <><JobProgress job={data} /><AnchorLink size="xs" to="/jobs/$id" params={{ id: job.id }}>Look at the job</AnchorLink></>;
}
