import { Alert, Box, Grid, Group, Stack, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconAlertTriangle, IconArrowLeft, IconMoodEmpty } from "@tabler/icons-react";
import { lazy, Suspense } from "react";
import { ApiError } from "~/api/client";
import type { Job } from "~/api/types";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { AnchorLink } from "~/ui/links";
import { PageHeader } from "~/ui/PageHeader";
import { Panel } from "~/ui/Panel";
import { AttemptsPanel } from "./AttemptsPanel";
import classes from "./JobDetail.module.css";
import { ItemsPanel } from "./ItemsPanel";
import { JobActions } from "./JobActions";
import { JobFacts } from "./JobFacts";
import { KindIcon } from "./JobTitle";
import { JsonPanel } from "./JsonPanel";
import { kindOf, summaryOf } from "./kinds";
import { LogsPanel } from "./LogsPanel";
import { headline } from "./outcome";
import { ProgressPanel } from "./ProgressPanel";
import { jobById } from "./queries";
import { ResultPanel } from "./ResultPanel";
import { StateBadge } from "./StateBadge";
import { isFinal, STATES } from "./states";
import type { JobTab } from "./tabs";
import { Timeline } from "./Timeline";

const TrainingCurve = lazy(() => import("./TrainingCurve").then((module) => ({ default: module.TrainingCurve })));

interface Props {
  id: string;
  tab: JobTab;
  /** The reasons whose failed pictures are shown; empty shows all. */
  codes: string[];
  onTab: (tab: JobTab) => void;
  onCodes: (codes: string[]) => void;
}

/** Everything about one job, current while it runs. */
export function JobDetail({ id, ...view }: Props) {
  const query = useQuery(jobById(id));
  if (query.isPending) return <Panel><Loading rows={9} height={26} /></Panel>;
  const gone = query.error instanceof ApiError && query.error.status === 404;
  if (query.data === undefined || gone) {
    return (
      <Panel>
        {gone ? (
          <Empty icon={<IconMoodEmpty size={22} />} title="No such job" action={<AnchorLink to="/jobs">To all jobs</AnchorLink>}>
            It was deleted, or left with the jobs that are kept no longer.
          </Empty>
        ) : <Failure error={query.error ?? new Error("There was no answer.")} onRetry={() => void query.refetch()} />}
      </Panel>
    );
  }
  return <Shown job={query.data} {...view} />;
}

function Shown({ job, tab, codes, onTab, onCodes }: Omit<Props, "id"> & { job: Job }) {
  const { title, detail } = summaryOf(job);
  const failed = job.progress.failed;
  const readsPictures = job.kind !== "search" && job.kind !== "noop";
  return (
    <>
      <PageHeader
        name={`${kindOf(job.kind).label} ${title}`}
        above={
          <AnchorLink to="/jobs" size="sm" c="dimmed" w="fit-content">
            <Group gap={5} component="span"><IconArrowLeft size={14} />Jobs</Group>
          </AnchorLink>
        }
        title={
          <Group gap={12} component="span">
            <KindIcon kind={job.kind} size={34} />
            <span>{kindOf(job.kind).label} {title}</span>
            <StateBadge state={job.state} paused={job.paused} size="lg" />
          </Group>
        }
        below={`${about(job)}${detail === "" ? "" : ` · ${detail}`}`}
        actions={<JobActions job={job} />}
      />
      <Tabs value={tab} onChange={(value) => onTab((value ?? "overview") as JobTab)} keepMounted={false}>
        <Tabs.List mb="md" className={classes.tabs}>
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="logs">Logs</Tabs.Tab>
          {readsPictures && <Tabs.Tab value="pictures" rightSection={failed > 0 ? <Text span size="xs" c="red" fw={600}>{failed}</Text> : undefined}>Failed pictures</Tabs.Tab>}
          <Tabs.Tab value="attempts">Attempts</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="overview"><Overview job={job} /></Tabs.Panel>
        <Tabs.Panel value="logs"><Panel><LogsPanel id={job.id} running={!isFinal(job.state)} /></Panel></Tabs.Panel>
        <Tabs.Panel value="pictures"><Panel><ItemsPanel job={job} codes={codes} onCodes={onCodes} /></Panel></Tabs.Panel>
        <Tabs.Panel value="attempts"><Panel><AttemptsPanel key={String(isFinal(job.state))} job={job} /></Panel></Tabs.Panel>
      </Tabs>
    </>
  );
}

/** Why the job stands where it stands. */
function about(job: Job): string {
  if (job.paused) return job.state === "running" ? "Stops at its next batch and keeps what it has done" : "Paused until it is resumed";
  return job.state_reason ?? STATES[job.state].about;
}

function Overview({ job }: { job: Job }) {
  const running = !isFinal(job.state);
  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, lg: 8 }}>
        <Stack gap="md">
          {job.error !== null && (
            <Alert color="red" icon={<IconAlertTriangle size={18} />} title={headline(job.error.code)}>
              <Box style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>{job.error.detail}</Box>
            </Alert>
          )}
          <Panel title="Timeline"><Timeline job={job} /></Panel>
          {running && <ProgressPanel job={job} />}
          {job.kind === "train" && (
            <Suspense fallback={<Panel title="Training curve"><Loading rows={6} /></Panel>}>
              <TrainingCurve id={job.id} running={running && !job.paused} />
            </Suspense>
          )}
          <ResultPanel job={job} />
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 4 }}>
        <Stack gap="md">
          <JobFacts job={job} />
          <JsonPanel title="Parameters" value={job.params} />
        </Stack>
      </Grid.Col>
    </Grid>
  );
}
