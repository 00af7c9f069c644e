import { Alert, Group, SimpleGrid, Skeleton, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconPhotoQuestion, IconPhotoSearch } from "@tabler/icons-react";
import { useState } from "react";
import { ApiError } from "~/api/client";
import type { Job, SearchResult } from "~/api/types";
import { DownloadCsv } from "~/features/jobs/DownloadCsv";
import { headline } from "~/features/jobs/outcome";
import { isFinal } from "~/features/jobs/states";
import { searchResult } from "~/features/jobs/read";
import { Empty } from "~/ui/Blank";
import { DownloadJson } from "~/ui/DownloadJson";
import { ButtonLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { HitCard } from "./HitCard";
import { HitModal } from "./HitModal";
import classes from "./Results.module.css";
import { Summary } from "./Summary";

interface Props {
  job: Job | undefined;
  loading: boolean;
  error: Error | null;
  index: string | undefined;
  onEntry: (entry: string) => void;
}

/** The answer to a search, or what stands in its place. */
export function Results({ job, loading, error, index, onEntry }: Props) {
  const waiting = loading || (job !== undefined && !isFinal(job.state));
  if (error !== null && !loading) {
    const gone = error instanceof ApiError && error.status === 404 && job === undefined;
    return gone
      ? <Panel><Empty icon={<IconPhotoQuestion size={22} />} title="This search is kept no longer">Ask again with its picture.</Empty></Panel>
      : <Refusal title="The search could not be made" detail={error.message} />;
  }
  if (waiting) return <Waiting job={loading ? undefined : job} />;
  if (job === undefined) {
    return (
      <Panel>
        <Empty icon={<IconPhotoSearch size={22} />} title="Which picture should be matched?">
          Drop, paste or choose one. The answer shows the classes it was recognised as, the most similar pictures
          of the index, and where the time went.
        </Empty>
      </Panel>
    );
  }
  const result = searchResult(job);
  if (result === null || index === undefined) {
    return <Refusal title={job.error === null ? `This search ${job.state}` : headline(job.error.code)} detail={job.error?.detail ?? job.state_reason ?? "It gave no result."} />;
  }
  return <Answer job={job} result={result} index={index} onEntry={onEntry} />;
}

interface AnswerProps {
  job: Job;
  result: SearchResult;
  index: string;
  onEntry: (entry: string) => void;
}

function Answer({ job, result, index, onEntry }: AnswerProps) {
  const [open, setOpen] = useState<number | null>(null);
  const { hits } = result;
  return (
    <Stack gap="md">
      <Summary result={result} />
      <Panel
        title="Look-alikes"
        hint={String(hits.length)}
        actions={
          <Group gap={8}>
            <ButtonLink size="xs" variant="default" to="/jobs/$id" params={{ id: job.id }}>Job</ButtonLink>
            <DownloadCsv path={`/v1/jobs/${encodeURIComponent(job.id)}/hits`} name={`hits-${job.id}.csv`} label="CSV" />
            <DownloadJson value={result} name={`search-${job.id}`} />
          </Group>
        }
      >
        {hits.length === 0 ? (
          <Empty icon={<IconPhotoQuestion size={22} />} title="Nothing is similar enough">
            Lower the least similarity, or look into all classes.
          </Empty>
        ) : (
          <ol className={classes.grid}>
            {hits.map((hit, position) => (
              <HitCard key={hit.entry_id} hit={hit} onOpen={() => setOpen(position)} onSearch={() => onEntry(hit.entry_id)} />
            ))}
          </ol>
        )}
      </Panel>
      <HitModal
        hits={hits}
        position={open}
        index={index}
        onPosition={setOpen}
        onSearch={(entry) => {
          setOpen(null);
          onEntry(entry);
        }}
      />
    </Stack>
  );
}

function Refusal({ title, detail }: { title: string; detail: string }) {
  return <Alert color="red" icon={<IconAlertTriangle size={18} />} title={title} role="alert">{detail}</Alert>;
}

function Waiting({ job }: { job: Job | undefined }) {
  return (
    <Panel title="Searching" hint={job?.state === "queued" ? "waits for a free worker" : undefined}>
      <Text size="sm" c="dimmed" mb="md" role="status">
        {job === undefined ? "The picture is on its way." : "This takes longer than usual; the page follows it until it is done."}
      </Text>
      <SimpleGrid cols={{ base: 2, sm: 4, xl: 6 }} aria-hidden>
        {Array.from({ length: 12 }, (_, place) => <Skeleton key={place} style={{ aspectRatio: 1 }} height="auto" />)}
      </SimpleGrid>
    </Panel>
  );
}
