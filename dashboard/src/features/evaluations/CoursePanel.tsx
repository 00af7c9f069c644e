import { LineChart } from "@mantine/charts";
import { Select } from "@mantine/core";
import { useState } from "react";
import type { Evaluation } from "~/api/types";
import { percent } from "~/format/number";
import { absolute } from "~/format/time";
import { Legend } from "~/ui/Legend";
import { Panel } from "~/ui/Panel";
import { type Course, coursesOf, mapOf } from "./figures";

const COLORS = ["brand.6", "teal.6"];

/** Whether searches have become better, evaluation by evaluation. */
export function CoursePanel({ evaluations }: { evaluations: Evaluation[] }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const courses = coursesOf(evaluations);
  const course = courses.find(({ name }) => name === chosen) ?? courses[0];
  if (course === undefined) return null;
  return (
    <Panel
      title="Over time"
      hint={courses.length > 1 ? undefined : course.name}
      actions={courses.length > 1 && (
        <Select size="xs" w={220} aria-label="Measured with" allowDeselect={false} data={[...new Set(courses.map(({ name }) => name))]} value={course.name} onChange={setChosen} />
      )}
    >
      <Chart course={course} />
    </Panel>
  );
}

function Chart({ course }: { course: Course }) {
  const series = [
    ...course.depths.map((k, place) => ({ name: `p${k}`, label: `P@${k}`, color: COLORS[place] ?? "gray.5" })),
    { name: "map", label: "mAP", color: "grape.6" },
  ];
  const rows = course.evaluations.map(({ id, result }) => ({
    id, map: mapOf(result, "embedding"), ...Object.fromEntries(course.depths.map((k) => [`p${k}`, result.precision_at.embedding?.[k] ?? null])),
  }));
  const one = (id: unknown) => course.evaluations.find((each) => each.id === id);
  return (
    <>
      <div role="img" aria-label={`${series.map(({ label }) => label).join(", ")} by generation; the table below tells the same`}>
        <LineChart
          h={210}
          data={rows}
          dataKey="id"
          series={series}
          valueFormatter={(value) => percent(value)}
          curveType="linear"
          xAxisProps={{ tickFormatter: (id) => `gen. ${one(id)?.generation ?? "?"}`, tickMargin: 8, padding: { left: 24, right: 24 } }}
          yAxisProps={{ width: 56, domain: ["auto", "auto"], tickCount: 4 }}
          gridAxis="x"
          tickLine="none"
          connectNulls
          tooltipProps={{ labelFormatter: (id) => told(one(id)) }}
          lineChartProps={{ margin: { top: 8, right: 8, left: 0, bottom: 0 } }}
          lineProps={{ isAnimationActive: false }}
        />
      </div>
      <Legend series={series} />
    </>
  );
}

function told(evaluation: Evaluation | undefined): string {
  return evaluation === undefined ? "" : `Generation ${evaluation.generation}, ${absolute(evaluation.at)}`;
}
