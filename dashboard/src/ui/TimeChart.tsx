import { AreaChart, type AreaChartProps } from "@mantine/charts";
import { Text } from "@mantine/core";
import { useMemo } from "react";
import { timeOfDay } from "~/format/time";
import { Legend } from "./Legend";
import classes from "./TimeChart.module.css";

interface Props {
  data: ({ at: number } & Record<string, number | null>)[];
  series: AreaChartProps["series"];
  from: number;
  to: number;
  stacked?: boolean;
  /** What is said while every value is nought. */
  calm?: string;
  height?: number;
  format: (value: number) => string;
  /** How the scale writes its numbers; as `format` when left out. */
  tick?: (value: number) => string;
  /** The top of the scale; grows with the data when left out. */
  max?: number | undefined;
  scaleWidth?: number;
  label: string;
  /** With scales and a legend; a bare line when not. */
  full?: boolean;
}

/** Values over time, up to now. */
export function TimeChart({ data, series, from, to, stacked = false, calm, height = 220, format, tick = format, max, scaleWidth = 40, label, full = true }: Props) {
  const ticks = useMemo(() => evenTicks(from, to), [from, to]);
  const quiet = calm !== undefined && data.every((row) => series.every(({ name }) => (row[name] ?? 0) === 0));
  return (
    <div role="img" aria-label={label} className={classes.chart}>
      {quiet && <Text size="sm" c="dimmed" className={classes.calm} h={height}>{calm}</Text>}
      <AreaChart
        h={height}
        data={data}
        dataKey="at"
        series={series}
        type={stacked ? "stacked" : "default"}
        curveType={stacked ? "stepAfter" : "monotone"}
        withDots={false}
        // Outlines of what is nought would lie on top of what is not.
        strokeWidth={stacked ? 0 : 1.75}
        fillOpacity={stacked ? 0.8 : 0.18}
        withGradient={!stacked}
        gridAxis={full ? "x" : "none"}
        tickLine="none"
        withXAxis={full}
        withYAxis={full}
        xAxisProps={{ type: "number", scale: "time", domain: [from, to], ticks, tickFormatter: (at: number) => timeOfDay(at).slice(0, 5), allowDataOverflow: true, padding: { left: 0, right: 0 }, tickMargin: 10 }}
        yAxisProps={{ width: scaleWidth, domain: [0, max ?? "auto"], allowDecimals: false, tickCount: 4, tickFormatter: tick, ...(max !== undefined && { ticks: [0, max / 2, max] }) }}
        valueFormatter={format}
        tooltipProps={{ labelFormatter: (at) => (typeof at === "number" ? timeOfDay(at) : "") }}
        areaProps={{ isAnimationActive: false, connectNulls: false }}
        areaChartProps={{ margin: full ? { top: 8, right: 6, left: 0, bottom: 0 } : { top: 2, right: 0, left: 0, bottom: 0 } }}
      />
      {full && series.length > 1 && <Legend series={series} />}
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
