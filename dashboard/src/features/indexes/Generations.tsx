import { Select, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { IndexDetail, StoredGeneration } from "~/api/types";
import { useMay } from "~/features/session/useMay";
import { bytes, counted } from "~/format/number";
import { Failure, Loading } from "~/ui/Blank";
import { ButtonLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";
import { GenerationBadge } from "./GenerationBadge";
import { GenerationMenu } from "./GenerationMenu";
import classes from "./Generations.module.css";
import { chosenPair } from "./pair";
import { indexGenerations, useKeepGenerations } from "./queries";

const KEPT = Array.from({ length: 11 }, (_, count) => ({ value: String(count), label: `keeps ${count} retired` }));

/** The builds of an index, newest first, each with the room it takes and what can be done with it. */
export function Generations({ index }: { index: IndexDetail }) {
  const generations = useQuery(indexGenerations(index.name));
  const pair = chosenPair(generations.data ?? [], {});
  return (
    <Panel title="Generations" actions={<Kept index={index} />}>
      {generations.isPending && <Loading rows={3} />}
      {generations.isError && generations.data === undefined && <Failure error={generations.error} onRetry={() => void generations.refetch()} />}
      <ul className={classes.list}>
        {generations.data?.map((generation) => <Row key={generation.id} index={index.name} generation={generation} />)}
      </ul>
      {pair !== null && (
        <ButtonLink fullWidth mt="xs" size="xs" variant="default" to="/indexes/$name/compare" params={{ name: index.name }} search={{ a: pair.a.id, b: pair.b.id }}>
          Compare two of them
        </ButtonLink>
      )}
    </Panel>
  );
}

function Row({ index, generation }: { index: string; generation: StoredGeneration }) {
  return (
    <li className={classes.row}>
      <div className={classes.about}>
        <Text size="sm" fw={600} truncate>{generation.id} by {generation.model}</Text>
        <Text size="xs" c="dimmed" component="div">
          {counted(generation.entries, "picture")}, {bytes(generation.size_bytes)}, {moment(generation)}
        </Text>
      </div>
      <GenerationBadge state={generation.state} />
      <GenerationMenu index={index} generation={generation} />
    </li>
  );
}

/** The last thing that happened to it. */
function moment({ activated_at, ready_at, created_at }: StoredGeneration) {
  if (activated_at !== null) return <>activated <TimeAgo at={activated_at} /></>;
  if (ready_at !== null) return <>ready <TimeAgo at={ready_at} /></>;
  return <>begun <TimeAgo at={created_at} /></>;
}

function Kept({ index }: { index: IndexDetail }) {
  const manage = useMay("manage");
  const keep = useKeepGenerations(index.name);
  return (
    <Select
      size="xs"
      w={150}
      aria-label="Retired generations that a swap keeps"
      allowDeselect={false}
      disabled={!manage || keep.isPending}
      data={KEPT}
      value={String(keep.isPending ? keep.variables : index.keep_generations)}
      onChange={(value) => value !== null && keep.mutate(Number(value))}
    />
  );
}
