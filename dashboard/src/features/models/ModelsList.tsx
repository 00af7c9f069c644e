import { Badge, Button, Group, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { IconBoxModel2, IconSchool } from "@tabler/icons-react";
import type { Model } from "~/api/types";
import { precisionAt } from "~/features/jobs/read";
import { useMay } from "~/features/session/useMay";
import { percent } from "~/format/number";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { CardGrid, CardLink } from "~/ui/CardGrid";
import { Figures } from "~/ui/Figures";
import { PageHeader } from "~/ui/PageHeader";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";
import { modelList } from "./queries";
import { TrainModal } from "./TrainModal";

/** Every model by name. */
export function ModelsList() {
  const models = useQuery(modelList);
  const submit = useMay("submit");
  const [training, { open, close }] = useDisclosure(false);
  return (
    <>
      <PageHeader
        name="Models"
        below="What pictures are recognised with. A version never changes once it is ready."
        actions={<Button leftSection={<IconSchool size={16} />} disabled={!submit} onClick={open}>Train a model</Button>}
      />
      {models.isPending && <Panel><Loading rows={5} /></Panel>}
      {models.isError && models.data === undefined && <Panel><Failure error={models.error} onRetry={() => void models.refetch()} /></Panel>}
      {models.data?.length === 0 && (
        <Panel>
          <Empty icon={<IconBoxModel2 size={22} />} title="No model yet" action={submit && <Button variant="default" onClick={open}>Train a model</Button>}>
            Train one on labelled pictures, or import weights with <code>lookalike models import</code>.
          </Empty>
        </Panel>
      )}
      {training && <TrainModal opened onClose={close} />}
      <CardGrid>{models.data?.map((model) => <Card key={model.name} model={model} />)}</CardGrid>
    </>
  );
}

/** A name, with the figures of the version that it means. */
function Card({ model }: { model: Model }) {
  const { latest, default: meant } = model;
  const labels = Object.entries(meant.labels);
  return (
    <CardLink to="/models/$name" params={{ name: model.name }}>
      <Group justify="space-between" mb={2} wrap="nowrap">
        <Text fw={640} fz="lg" truncate>{model.name}</Text>
        <Badge color="brand">default @{meant.version}</Badge>
      </Group>
      <Text size="sm" c="dimmed" mb={labels.length > 0 ? 6 : "md"}>{meant.backbone} · {meant.origin} <TimeAgo at={meant.created_at} /></Text>
      {labels.length > 0 && (
        <Group gap={6} mb="md">
          {labels.map(([name, value]) => <Badge key={name} size="xs" variant="outline" color="gray" fw={500}>{name}:{String(value)}</Badge>)}
        </Group>
      )}
      <Figures
        dense
        figures={[
          { label: "Accuracy", value: percent(meant.validation_accuracy) },
          { label: "P@1", value: precisionAt(meant.precision_at).embedding?.["1"]?.toFixed(3) ?? "–" },
          { label: "Classes", value: meant.classes.length },
          { label: "Versions", value: model.versions, ...(latest.version !== meant.version && { hint: `newest @${latest.version}` }) },
        ]}
      />
    </CardLink>
  );
}
