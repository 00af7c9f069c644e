import { Anchor, Box, Button, Center, Text } from "@mantine/core";
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { IconStack2 } from "@tabler/icons-react";
import { useCallback, useMemo, useState } from "react";
import { useMay } from "~/features/session/useMay";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { PageHeader } from "~/ui/PageHeader";
import { Panel } from "~/ui/Panel";
import { BulkBar } from "./BulkBar";
import { activeFilters, type JobSearch } from "./filter";
import { JobFilters } from "./JobFilters";
import { JobTable } from "./JobTable";
import { MOST_LIVE_PAGES } from "./live";
import { NewJobMenu } from "./NewJobMenu";
import { jobCounts, jobList } from "./queries";
import { Shortcuts } from "./Shortcuts";
import { StateTabs } from "./StateTabs";
import { useRowKeys } from "./useRowKeys";
import { type Picked, useSelection } from "./useSelection";

interface Props {
  search: JobSearch;
  onSearch: (search: JobSearch) => void;
}

/** All jobs, newest first, filtered by the URL and kept current by events. */
export function JobsList({ search, onSearch }: Props) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const submit = useMay("submit");
  const counts = useQuery(jobCounts);
  const [picked, setPicked] = useState<Picked>(new Set());
  // Rows hold still while some are picked: no fetch moves them, though events still change them in place.
  const list = useInfiniteQuery({
    ...jobList(search),
    enabled: (query) => picked.size === 0 || query.state.data === undefined,
  });
  const jobs = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
  const selection = useSelection(useMemo(() => jobs.map((job) => job.id), [jobs]), picked, setPicked);
  const open = useCallback((id: string) => void navigate({ to: "/jobs/$id", params: { id } }), [navigate]);
  useRowKeys((id) => selection.toggle(id, false), selection.clear);
  const filtered = activeFilters(search) > 0;

  return (
    <>
      <PageHeader
        name="Jobs"
        below="Everything that was asked for: training, indexing, searches and evaluations."
        actions={<><Shortcuts /><NewJobMenu /></>}
      />
      <Panel flush>
        <StateTabs value={search.state} counts={counts.data} onChange={(state) => onSearch({ ...search, state })} />
        <Box p="sm" px={18} style={{ borderBottom: "1px solid var(--line)" }}>
          <JobFilters search={search} onChange={(change) => onSearch({ ...search, ...change })} onClear={() => onSearch({})} />
        </Box>
        {list.isPending && <Box p={18}><Loading rows={8} height={30} /></Box>}
        {list.isError && jobs.length === 0 && <Failure error={list.error} onRetry={() => void list.refetch()} />}
        {list.isSuccess && jobs.length === 0 && <NoJobs filtered={filtered} onClear={() => onSearch({})} />}
        {jobs.length > 0 && <JobTable jobs={jobs} selection={selection} stale={list.isPlaceholderData} onOpen={open} />}
      </Panel>
      {(list.data?.pages.length ?? 0) > MOST_LIVE_PAGES && (
        <Text size="sm" c="dimmed" ta="center" mt="sm">
          So many are shown that new ones are not added by themselves.{" "}
          <Anchor component="button" size="sm" onClick={() => void client.resetQueries({ queryKey: jobList(search).queryKey })}>Show the newest</Anchor>
        </Text>
      )}
      {jobs.length > 0 && (
        <Center mt="md" pb={selection.some ? 72 : 0}>
          {list.hasNextPage ? (
            <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>Load more</Button>
          ) : <Text size="sm" c="dimmed">These are all of them</Text>}
        </Center>
      )}
      {submit && <BulkBar jobs={jobs} selection={selection} filter={search} more={list.hasNextPage} />}
    </>
  );
}

function NoJobs({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  if (filtered) {
    return (
      <Empty icon={<IconStack2 size={22} />} title="No job matches" action={<Button variant="default" onClick={onClear}>Clear the filters</Button>}>
        No job has this state, kind, queue and label at once.
      </Empty>
    );
  }
  return (
    <Empty icon={<IconStack2 size={22} />} title="No jobs yet">
      Train a model, fill an index or search with a picture: here, on the command line or over the API. Each job
      shows up at once.
    </Empty>
  );
}
