import { Grid, Stack } from "@mantine/core";
import { lazy, Suspense } from "react";
import type { ModelVersion } from "~/api/types";
import { JsonPanel } from "~/features/jobs/JsonPanel";
import { number, precisionAt, record } from "~/features/jobs/read";
import { percent } from "~/format/number";
import { Loading } from "~/ui/Blank";
import { type Figure, Figures } from "~/ui/Figures";
import { Panel } from "~/ui/Panel";
import { PrecisionTable } from "~/ui/PrecisionTable";
import { Readable } from "~/ui/Readable";
import { calibrationOf, hardestOf, mapOf, metricsOf, perClassOf, without } from "./card";
import { ConfusionPanel } from "./ConfusionPanel";
import { DownloadsPanel } from "./DownloadsPanel";
import { HardestPanel } from "./HardestPanel";
import { LabelsPanel } from "./LabelsPanel";
import { ModelFacts } from "./ModelFacts";
import { PerClassPanel } from "./PerClassPanel";

const TrainingCurve = lazy(() => import("~/features/jobs/TrainingCurve").then((module) => ({ default: module.TrainingCurve })));
const CalibrationPanel = lazy(() => import("./CalibrationPanel").then((module) => ({ default: module.CalibrationPanel })));

/** Everything that is known of a version: how good it is, and how it came to be. */
export function ModelCard({ model }: { model: ModelVersion }) {
  const calibration = calibrationOf(model);
  const classes = perClassOf(model);
  const hardest = hardestOf(model);
  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, lg: 8 }}>
        <Stack gap="md">
          <Panel title="How good it is">
            <Figures figures={headline(model)} />
            {model.precision_at !== null && <PrecisionTable precision={precisionAt(model.precision_at)} map={mapOf(model)} />}
          </Panel>
          {model.job_id !== null && (
            <Suspense fallback={<Panel title="Training curve"><Loading rows={6} /></Panel>}>
              <TrainingCurve id={model.job_id} running={false} />
            </Suspense>
          )}
          {classes.length > 0 && <PerClassPanel rows={classes} />}
          {model.origin === "trained" && <ConfusionPanel name={model.name} version={model.version} />}
          {calibration !== null && (
            <Suspense fallback={<Panel title="Calibration"><Loading rows={6} /></Panel>}>
              <CalibrationPanel calibration={calibration} />
            </Suspense>
          )}
          {hardest.length > 0 && <HardestPanel rows={hardest} />}
        </Stack>
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 4 }}>
        <Stack gap="md">
          <ModelFacts model={model} />
          <LabelsPanel model={model} />
          <DownloadsPanel model={model} />
          {Object.keys(record(record(model.card).recipe)).length > 0 && <JsonPanel title="Recipe" value={record(model.card).recipe} />}
          {Object.keys(model.card).length > 0 && <JsonPanel title="Card" value={model.card}><Readable value={brief(record(model.card))} /></JsonPanel>}
        </Stack>
      </Grid.Col>
    </Grid>
  );
}

/** A card without what has a panel of its own, and without its long lists. */
function brief(card: Record<string, unknown>): Record<string, unknown> {
  const dataset = without(record(card.dataset), "images_per_class", "classes");
  return without({ ...card, ...(card.dataset !== undefined && { dataset }) }, "metrics", "hardest", "recipe");
}

function headline(model: ModelVersion): Figure[] {
  const metrics = metricsOf(model);
  const figures: Figure[] = [
    { label: "Validation accuracy", value: percent(model.validation_accuracy) },
    { label: "P@1", value: precisionAt(model.precision_at).embedding?.["1"]?.toFixed(3) ?? "–", hint: "by embedding" },
    { label: "mAP", value: mapOf(model).embedding?.toFixed(3) ?? "–", hint: "by embedding" },
    { label: "Training accuracy", value: percent(number(metrics.train_accuracy)) },
    { label: "Classes", value: model.classes.length },
  ];
  return model.validation_accuracy === null ? figures.filter(({ value }) => value !== "–") : figures;
}
