import { LineChart } from "@mantine/charts";
import { Box, SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconChartLine } from "@tabler/icons-react";
import { useState } from "react";
import { ApiError } from "~/api/client";
import type { EpochMetrics } from "~/api/types";
import { percent, significant } from "~/format/number";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { Figures } from "~/ui/Figures";
import { Legend } from "~/ui/Legend";
import { Panel } from "~/ui/Panel";
import { trainingMetrics } from "./queries";

const VIEWS = {
  accuracy: {
    label: "Accuracy",
    series: [
      { name: "train_accuracy", label: "Training", color: "gray.5" },
      { name: "validation_accuracy", label: "Validation", color: "brand.6" },
    ],
    format: (value: number) => percent(value, 0),
    from: 0,
  },
  loss: {
    label: "Loss",
    series: [
      { name: "loss", label: "Training", color: "gray.5" },
      { name: "validation_loss", label: "Validation", color: "brand.6" },
    ],
    format: significant,
  },
  rate: { label: "Learning rate", series: [{ name: "learning_rate", label: "Learning rate", color: "violet.6" }], format: significant },
  speed: { label: "Speed", series: [{ name: "images_per_second", label: "Pictures/s", color: "teal.6" }], format: significant },
};
type View = keyof typeof VIEWS;

/** Accuracy, loss, learning rate and speed by epoch, growing while the job trains. */
export function TrainingCurve({ id, running }: { id: string; running: boolean }) {
  const [view, setView] = useState<View>("accuracy");
  const metrics = useQuery(trainingMetrics(id));
  const shown = VIEWS[view];
  // A model outlives the job that trained it.
  if (metrics.error instanceof ApiError && metrics.error.status === 404) return null;
  const choices = Object.entries(VIEWS).map(([value, { label }]) => ({ value, label }));
  return (
    <Panel
      title="Training curve"
      actions={<SegmentedControl size="xs" aria-label="Curve" data={choices} value={view} onChange={(value) => setView(value as View)} />}
    >
      {metrics.isError && <Failure error={metrics.error} onRetry={() => void metrics.refetch()} />}
      {metrics.isPending && <Loading rows={6} />}
      {metrics.data?.length === 0 && (
        <Empty icon={<IconChartLine size={22} />} title={running ? "The first epoch is on its way" : "No epoch was finished"} />
      )}
      {metrics.data !== undefined && metrics.data.length > 0 && (
        <>
          <div role="img" aria-label={`${shown.label} by epoch`}>
            <LineChart
              h={250}
              data={metrics.data.map((row) => ({ ...row }))}
              dataKey="epoch"
              series={shown.series}
              valueFormatter={shown.format}
              curveType="monotone"
              strokeWidth={2}
              withDots={metrics.data.length < 3}
              xAxisProps={epochs(metrics.data)}
              yAxisProps={{ width: 52, domain: ["from" in shown ? shown.from : "auto", "auto"] }}
              gridAxis="x"
              tickLine="none"
              connectNulls
              tooltipProps={{ labelFormatter: (epoch) => (typeof epoch === "number" ? `Epoch ${epoch}` : "") }}
              lineChartProps={{ margin: { top: 8, right: 8, left: 0, bottom: 0 } }}
              lineProps={{ isAnimationActive: false }}
            />
          </div>
          {shown.series.length > 1 && <Legend series={shown.series} />}
          <Latest rows={metrics.data} />
        </>
      )}
    </Panel>
  );
}

const EPOCH_STEPS = [1, 2, 5, 10, 20, 50, 100, 200];

/** A scale from the first epoch to the last, with at most ten round numbers on it. */
function epochs(rows: EpochMetrics[]) {
  const [first = 1, last = 1] = [rows[0]?.epoch, rows.at(-1)?.epoch];
  const step = EPOCH_STEPS.find((each) => (last - first) / each <= 10) ?? 500;
  const start = Math.ceil(first / step) * step;
  const ticks = Array.from({ length: Math.floor((last - start) / step) + 1 }, (_, place) => start + place * step);
  return { type: "number" as const, domain: [first, Math.max(last, first + 1)], ticks, tickMargin: 8 };
}

function Latest({ rows }: { rows: EpochMetrics[] }) {
  const last = rows.at(-1);
  if (last === undefined) return null;
  const best = rows.reduce((top, row) => ((row.validation_accuracy ?? 0) > (top.validation_accuracy ?? 0) ? row : top));
  return (
    <Box mt="lg">
      <Figures
        figures={[
          { label: "Epoch", value: last.epoch },
          { label: "Validation accuracy", value: percent(last.validation_accuracy) },
          { label: "Best so far", value: percent(best.validation_accuracy), hint: `epoch ${best.epoch}` },
          { label: "Loss", value: significant(last.loss) },
          { label: "Speed", value: `${significant(last.images_per_second)}/s` },
        ]}
      />
    </Box>
  );
}
