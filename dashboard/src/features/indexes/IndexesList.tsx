import { Badge, Button, Group, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { IconBooks, IconDatabasePlus } from "@tabler/icons-react";
import type { IndexSummary } from "~/api/types";
import { useMay } from "~/features/session/useMay";
import { count } from "~/format/number";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { CardGrid, CardLink } from "~/ui/CardGrid";
import { Figures } from "~/ui/Figures";
import { PageHeader } from "~/ui/PageHeader";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";
import { FillModal } from "./FillModal";
import { indexList } from "./queries";

/** Every index. */
export function IndexesList() {
  const indexes = useQuery(indexList);
  const submit = useMay("submit");
  const [filling, { open, close }] = useDisclosure(false);
  return (
    <>
      <PageHeader
        name="Indexes"
        below="Collections of pictures that can be searched, each read with one version of a model."
        actions={<Button leftSection={<IconDatabasePlus size={16} />} disabled={!submit} onClick={open}>Fill an index</Button>}
      />
      {indexes.isPending && <Panel><Loading rows={5} /></Panel>}
      {indexes.isError && indexes.data === undefined && <Panel><Failure error={indexes.error} onRetry={() => void indexes.refetch()} /></Panel>}
      {indexes.data?.length === 0 && (
        <Panel>
          <Empty icon={<IconBooks size={22} />} title="No index yet" action={submit && <Button variant="default" onClick={open}>Fill an index</Button>}>
            An index holds the pictures that can be found. Filling one from a source makes it.
          </Empty>
        </Panel>
      )}
      {filling && <FillModal opened onClose={close} />}
      <CardGrid>{indexes.data?.map((index) => <Card key={index.name} index={index} />)}</CardGrid>
    </>
  );
}

function Card({ index }: { index: IndexSummary }) {
  return (
    <CardLink to="/indexes/$name" params={{ name: index.name }}>
      <Group justify="space-between" mb={2} wrap="nowrap">
        <Text fw={640} fz="lg" truncate>{index.name}</Text>
        {index.building !== null && <Badge color="violet">Rebuilding</Badge>}
      </Group>
      <Text size="sm" c="dimmed" mb="md">
        {index.model === null ? "not built yet" : <>by {index.model}</>} · made <TimeAgo at={index.created_at} />
      </Text>
      <Figures
        dense
        figures={[
          { label: "Pictures", value: count(index.entries) },
          { label: "Classes", value: count(index.partitions_count) },
          { label: "Generation", value: index.generation ?? "–" },
        ]}
      />
    </CardLink>
  );
}
