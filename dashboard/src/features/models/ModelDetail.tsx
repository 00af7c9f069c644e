import { Badge, Grid, Group, Select, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconArrowLeft, IconMoodEmpty } from "@tabler/icons-react";
import { lazy, Suspense } from "react";
import type { ModelVersion } from "~/api/types";
import { JsonPanel } from "~/features/jobs/JsonPanel";
import { precisionAt, record } from "~/features/jobs/read";
import { bytes, percent, significant } from "~/format/number";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { type Fact, Facts } from "~/ui/Facts";
import { Figures } from "~/ui/Figures";
import { AnchorLink } from "~/ui/links";
import { PageHeader } from "~/ui/PageHeader";
import { Panel } from "~/ui/Panel";
import { PrecisionTable } from "~/ui/PrecisionTable";
import { Readable } from "~/ui/Readable";
import { TimeAgo } from "~/ui/TimeAgo";
import { ConfusionPanel } from "./ConfusionPanel";
import { ModelActions } from "./ModelActions";
import { modelVersions } from "./queries";

const TrainingCurve = lazy(() => import("~/features/jobs/TrainingCurve").then((module) => ({ default: module.TrainingCurve })));

interface Props {
  name: string;
  version: number | undefined;
  onVersion: (version: number) => void;
}

/** A model's card: what it is, how good it is, and where it came from. */
export function ModelDetail({ name, version, onVersion }: Props) {
  const versions = useQuery(modelVersions(name));
  if (versions.isPending) return <Panel><Loading rows={8} /></Panel>;
  if (versions.isError && versions.data === undefined) return <Panel><Failure error={versions.error} onRetry={() => void versions.refetch()} /></Panel>;
  const shown = versions.data.find((each) => each.version === version) ?? versions.data.find((each) => each.is_default) ?? versions.data[0];
  if (shown === undefined) return <Panel><Empty icon={<IconMoodEmpty size={22} />} title="No such model" /></Panel>;
  return (
    <>
      <PageHeader
        name={shown.reference}
        above={<AnchorLink to="/models" size="sm" c="dimmed" w="fit-content"><Group gap={5} component="span"><IconArrowLeft size={14} />Models</Group></AnchorLink>}
        title={<Group gap={10} component="span">{shown.reference}{shown.is_default && <Badge size="lg">Default</Badge>}</Group>}
        below={<>{shown.backbone} · {shown.origin} <TimeAgo at={shown.created_at} /></>}
        actions={
          <>
            <Select
              aria-label="Version"
              w={140}
              allowDeselect={false}
              data={versions.data.map((each) => ({ value: String(each.version), label: `Version ${each.version}` }))}
              value={String(shown.version)}
              onChange={(value) => value !== null && onVersion(Number(value))}
            />
            <ModelActions model={shown} last={versions.data.length === 1} />
          </>
        }
      />
      <Card model={shown} />
    </>
  );
}

/** A card without its long lists, which are shown elsewhere or as JSON. */
function brief(card: Record<string, unknown>): Record<string, unknown> {
  const dataset = without(record(card.dataset), "images_per_class");
  return without({ ...card, ...(card.dataset !== undefined && { dataset }) }, "metrics");
}

function without(fields: Record<string, unknown>, name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([each]) => each !== name));
}

function Card({ model }: { model: ModelVersion }) {
  const facts: Fact[] = [
    { label: "Backbone", value: model.backbone },
    { label: "Picture size", value: `${model.image_size} × ${model.image_size}` },
    { label: "Embedding", value: `${significant(model.embedding_dim)} values` },
    { label: "Weights", value: bytes(model.weights_bytes) },
    { label: "Made by", value: model.job_id === null ? "import" : <AnchorLink to="/jobs/$id" params={{ id: model.job_id }} size="sm">its training job</AnchorLink> },
    { label: "Classes", value: model.classes.join(", ") },
  ];
  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, lg: 8 }}>
        <Stack gap="md">
          <Panel title="How good it is">
            <Figures
              figures={[
                { label: "Validation accuracy", value: percent(model.validation_accuracy) },
                { label: "P@1", value: precisionAt(model.precision_at).embedding?.["1"]?.toFixed(3) ?? "–", hint: "by embedding" },
                { label: "Classes", value: model.classes.length },
              ]}
            />
            {model.precision_at !== null && <PrecisionTable precision={precisionAt(model.precision_at)} />}
          </Panel>
          {model.job_id !== null && (
            <Suspense fallback={<Panel title="Training curve"><Loading rows={6} /></Panel>}>
              <TrainingCurve id={model.job_id} running={false} />
            </Suspense>
          )}
          {model.origin === "trained" && <ConfusionPanel name={model.name} version={model.version} />}
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 4 }}>
        <Stack gap="md">
          <Panel title="Details"><Facts facts={facts} /></Panel>
          {Object.keys(model.card).length > 0 && <JsonPanel title="Card" value={model.card}><Readable value={brief(model.card)} /></JsonPanel>}
        </Stack>
      </Grid.Col>
    </Grid>
  );
}
