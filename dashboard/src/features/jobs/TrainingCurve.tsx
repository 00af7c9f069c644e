import { Group, SegmentedControl, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconChartLine } from "@tabler/icons-react";
import { useState } from "react";
import { ApiError } from "~/api/client";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { Panel } from "~/ui/Panel";
import { CurveChart } from "./CurveChart";
import { type By, CURVES, epochRow, measured, stepRow } from "./curves";
import { trainingMetrics, trainingSteps } from "./measures";
import { TrainingFigures } from "./TrainingFigures";

const KINDS = [{ value: "epoch", label: "By epoch" }, { value: "step", label: "By step" }];

/** Accuracy, loss, learning rate, speed and the device's use by epoch or step, growing while the job trains. */
export function TrainingCurve({ id, running }: { id: string; running: boolean }) {
  const [asked, setAsked] = useState<By | null>(null);
  const [label, setLabel] = useState("Accuracy");
  const epochs = useQuery(trainingMetrics(id));
  // Steps come long before the first epoch has ended.
  const by = asked ?? (running && epochs.data?.length === 0 ? "step" : "epoch");
  const steps = useQuery({ ...trainingSteps(id), enabled: by === "step" });
  const shown = by === "epoch" ? epochs : steps;
  // A model outlives the job that trained it.
  if (epochs.error instanceof ApiError && epochs.error.status === 404) return null;
  const rows = (by === "epoch" ? epochs.data?.map(epochRow) : steps.data?.map(stepRow)) ?? [];
  const curves = measured(CURVES[by], rows);
  const curve = curves.find((each) => each.label === label) ?? curves[0];
  const labels = curves.map((each) => each.label);
  return (
    <Panel
      title="Training curve"
      actions={
        <Group gap="xs">
          {labels.length > 0 && <SegmentedControl visibleFrom="sm" size="xs" aria-label="Curve" data={labels} value={curve?.label ?? ""} onChange={setLabel} />}
          {labels.length > 0 && <Select hiddenFrom="sm" size="xs" w={140} aria-label="Curve" allowDeselect={false} data={labels} value={curve?.label ?? null} onChange={(value) => setLabel(value ?? "")} />}
          <SegmentedControl size="xs" aria-label="A point for each" data={KINDS} value={by} onChange={(value) => setAsked(value as By)} />
        </Group>
      }
    >
      {shown.isError && <Failure error={shown.error} onRetry={() => void shown.refetch()} />}
      {shown.isPending && <Loading rows={6} />}
      {shown.isSuccess && rows.length === 0 && <Empty icon={<IconChartLine size={22} />} title={nothing(by, running)} />}
      {curve !== undefined && <CurveChart curve={curve} by={by} rows={rows} />}
      {epochs.data !== undefined && <TrainingFigures rows={epochs.data} running={running} />}
    </Panel>
  );
}

function nothing(by: By, running: boolean): string {
  if (by === "step") return running ? "The first steps are on their way" : "No steps were measured";
  return running ? "The first epoch is on its way" : "No epoch was finished";
}
