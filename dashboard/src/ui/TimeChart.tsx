import { AreaChart, type AreaChartProps } from "@mantine/charts";
import { useMemo } from "react";
import { timeOfDay } from "~/format/time";

interface Props {
  data: { at: number }[];
  series: AreaChartProps["series"];
  from: number;
  to: number;
  stacked?: boolean;
  height?: number;
  format: (value: number) => string;
  /** How the scale writes its numbers; as `format` when left out. */
  tick?: (value: number) => string;
  /** The top of the scale; grows with the data when left out. */
  max?: number | undefined;
  legend?: boolean;
  label: string;
  axis?: boolean;
}

/** Values over time, up to now. */
export function TimeChart({ data, series, from, to, stacked = false, height = 220, format, tick = format, max, legend = true, label, axis = true }: Props) {
  const ticks = useMemo(() => evenTicks(from, to), [from, to]);
  return (
    <div role="img" aria-label={label}>
      <AreaChart
        h={height}
        data={data}
        dataKey="at"
        series={series}
        type={stacked ? "stacked" : "default"}
        curveType="monotone"
        withDots={false}
        strokeWidth={1.75}
        fillOpacity={stacked ? 0.28 : 0.18}
        gridAxis={axis ? "x" : "none"}
        tickLine="none"
        withLegend={legend}
        legendProps={{ verticalAlign: "bottom", height: 30, itemSorter: null }}
        withXAxis={axis}
        withYAxis={axis}
        xAxisProps={{ type: "number", scale: "time", domain: [from, to], ticks, tickFormatter: (at: number) => timeOfDay(at).slice(0, 5), allowDataOverflow: true, padding: { left: 0, right: 0 }, tickMargin: 10 }}
        yAxisProps={{ width: 40, domain: [0, max ?? "auto"], allowDecimals: false, tickCount: 4, tickFormatter: tick }}
        valueFormatter={format}
        tooltipProps={{ labelFormatter: (at) => (typeof at === "number" ? timeOfDay(at) : "") }}
        areaProps={{ isAnimationActive: false, connectNulls: false }}
        areaChartProps={{ margin: axis ? { top: 6, right: 6, left: 0, bottom: 0 } : { top: 2, right: 0, left: 0, bottom: 0 } }}
      />
    </div>
  );
}

const STEPS_MIN = [1, 2, 5, 10, 15, 30, 60, 120, 240];

/** Round moments, about five of them, between two moments. */
function evenTicks(from: number, to: number): number[] {
  const step = (STEPS_MIN.find((minutes) => (to - from) / (minutes * 60_000) <= 6) ?? 480) * 60_000;
  const first = Math.ceil(from / step) * step;
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, index) => first + index * step);
}
