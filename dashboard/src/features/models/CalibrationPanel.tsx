import { LineChart } from "@mantine/charts";
import { count, percent, significant } from "~/format/number";
import { Figures } from "~/ui/Figures";
import { Legend } from "~/ui/Legend";
import { Panel } from "~/ui/Panel";
import type { Calibration } from "./card";

const SERIES = [
  { name: "accuracy", label: "Right", color: "brand.6" },
  { name: "even", label: "As right as confident", color: "gray.5", strokeDasharray: "4 4" },
];

/** Whether the model is as often right as it says it is. */
export function CalibrationPanel({ calibration }: { calibration: Calibration }) {
  const { temperature, before, after, bins } = calibration;
  const share = (value: number) => percent(value, 0);
  return (
    <Panel title="Calibration" hint="is it as often right as it says?">
      <Figures
        figures={[
          { label: "Error after calibration", value: percent(after), hint: "mean distance of confidence from accuracy" },
          { label: "Error before", value: percent(before) },
          { label: "Temperature", value: significant(temperature), hint: temperature !== null && temperature > 1 ? "was too sure of itself" : "was not sure enough" },
          { label: "Pictures", value: count(bins.reduce((sum, { pictures }) => sum + pictures, 0)) },
        ]}
      />
      <div role="img" aria-label="Accuracy by confidence">
        <LineChart
          h={260}
          mt="md"
          data={[{ confidence: 0, even: 0 }, ...bins.map(({ confidence, accuracy }) => ({ confidence, accuracy, even: confidence })), { confidence: 1, even: 1 }]}
          dataKey="confidence"
          series={SERIES}
          curveType="linear"
          valueFormatter={share}
          xAxisProps={{ type: "number", domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1], tickFormatter: share, tickMargin: 8 }}
          yAxisProps={{ domain: [0, 1], ticks: [0, 0.5, 1], width: 52 }}
          gridAxis="xy"
          tickLine="none"
          connectNulls
          tooltipProps={{ labelFormatter: (at) => (typeof at === "number" ? `${share(at)} sure` : "") }}
          lineChartProps={{ margin: { top: 8, right: 12, left: 0, bottom: 0 } }}
          lineProps={({ name }) => ({ isAnimationActive: false, dot: name === "accuracy" })}
        />
      </div>
      <Legend series={SERIES} />
    </Panel>
  );
}
