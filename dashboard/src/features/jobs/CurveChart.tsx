import { LineChart } from "@mantine/charts";
import { Legend } from "~/ui/Legend";
import { type By, type Curve, type Row, scale } from "./curves";

interface Props {
  curve: Curve;
  by: By;
  rows: Row[];
}

/** One curve of a training over its epochs or steps. */
export function CurveChart({ curve, by, rows }: Props) {
  const heading = by === "epoch" ? "Epoch" : "Step";
  return (
    <>
      <div role="img" aria-label={`${curve.label} by ${by}`}>
        <LineChart
          h={250}
          data={rows}
          dataKey={by}
          series={curve.series}
          valueFormatter={curve.format}
          curveType={by === "epoch" ? "monotone" : "linear"}
          strokeWidth={by === "epoch" ? 2 : 1.5}
          withDots={rows.length < 3}
          xAxisProps={scale(rows, by)}
          yAxisProps={{ width: 52, domain: [curve.from ?? "auto", "auto"] }}
          gridAxis="x"
          tickLine="none"
          connectNulls
          tooltipProps={{ labelFormatter: (at) => (typeof at === "number" ? `${heading} ${at}` : "") }}
          lineChartProps={{ margin: { top: 8, right: 8, left: 0, bottom: 0 } }}
          lineProps={{ isAnimationActive: false }}
        />
      </div>
      {curve.series.length > 1 && <Legend series={curve.series} />}
    </>
  );
}
