import { Alert, Grid, Group, Stack, Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconArrowLeft, IconPhotoSearch, IconRefreshDot } from "@tabler/icons-react";
import type { IndexDetail as Index } from "~/api/types";
import { EvaluationDetail } from "~/features/evaluations/EvaluationDetail";
import { Evaluations } from "~/features/evaluations/Evaluations";
import { count } from "~/format/number";
import { SchedulesPanel } from "~/features/schedules/SchedulesPanel";
import { Failure, Loading } from "~/ui/Blank";
import { Figures } from "~/ui/Figures";
import { AnchorLink, ButtonLink } from "~/ui/links";
import { PageHeader } from "~/ui/PageHeader";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";
import { Entries } from "./Entries";
import { Generations } from "./Generations";
import { IndexMenu } from "./IndexMenu";
import { Partitions } from "./Partitions";
import { indexByName } from "./queries";
import type { IndexView } from "./tabs";

interface Props {
  name: string;
  view: IndexView;
  onView: (view: IndexView) => void;
}

/** One index: its generation, its classes, its pictures, and how well it answers. */
export function IndexDetail({ name, view, onView }: Props) {
  const query = useQuery(indexByName(name));
  if (query.isPending) return <Panel><Loading rows={8} /></Panel>;
  if (query.data === undefined) return <Panel><Failure error={query.error} onRetry={() => void query.refetch()} /></Panel>;
  const index = query.data;
  return (
    <>
      <PageHeader
        name={index.name}
        above={<AnchorLink to="/indexes" size="sm" c="dimmed" w="fit-content"><Group gap={5} component="span"><IconArrowLeft size={14} />Indexes</Group></AnchorLink>}
        below={<>Made <TimeAgo at={index.created_at} /></>}
        actions={
          <>
            <ButtonLink to="/search" search={{ index: name }} leftSection={<IconPhotoSearch size={16} />}>Search it</ButtonLink>
            <IndexMenu index={index} />
          </>
        }
      />
      <Stack gap="md">
        {index.building !== null && (
          <Alert color="violet" icon={<IconRefreshDot size={18} />} title={`Generation ${index.building.generation} is being filled with ${index.building.model}`}>
            It holds {count(index.building.entries)} pictures so far. Searches use generation {index.generation} until it is complete.{" "}
            <AnchorLink size="sm" to="/jobs" search={{ kind: "rebuild" }}>Follow the rebuild</AnchorLink>
          </Alert>
        )}
        <Panel>
          <Figures
            figures={[
              { label: "Pictures", value: count(index.entries) },
              { label: "Classes", value: count(index.partitions.length) },
              { label: "Model", value: index.model ?? "–" },
              { label: "Generation", value: index.generation ?? "–" },
            ]}
          />
        </Panel>
        <Tabs value={view.tab ?? "pictures"} onChange={(tab) => onView({ tab: tab === "evaluations" ? tab : undefined })} keepMounted={false}>
          <Tabs.List mb="md">
            <Tabs.Tab value="pictures">Pictures</Tabs.Tab>
            <Tabs.Tab value="evaluations">Evaluations</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="pictures"><Pictures index={index} chosen={view.class} onChoose={(next) => onView({ class: next })} /></Tabs.Panel>
          <Tabs.Panel value="evaluations">
            {view.evaluation === undefined ? <Evaluations index={name} /> : <EvaluationDetail key={view.evaluation} index={name} id={view.evaluation} />}
          </Tabs.Panel>
        </Tabs>
      </Stack>
    </>
  );
}

interface PicturesProps {
  index: Index;
  /** The class whose entries are shown; undefined shows all. */
  chosen: string | undefined;
  onChoose: (className: string | undefined) => void;
}

function Pictures({ index, chosen, onChoose }: PicturesProps) {
  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, md: 4 }}>
        <Stack gap="md">
          <Partitions partitions={index.partitions} chosen={chosen} onChoose={onChoose} />
          <Generations index={index} />
          <SchedulesPanel index={index.name} />
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 8 }}><Entries index={index.name} chosen={chosen} /></Grid.Col>
    </Grid>
  );
}
