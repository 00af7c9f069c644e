import { LineChart } from "@mantine/charts";
import { Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconChartLine } from "@tabler/icons-react";
import { count, significant } from "~/format/number";
import { duration } from "~/format/time";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { AnchorLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { type Line, lines, rows, trainingPerformance } from "./performance";

/** How fast trainings went on each device: iterations over time, a line a run. */
export function TrainingPerformance() {
  const { data, error, isPending, refetch } = useQuery(trainingPerformance);
  const shown = data === undefined ? [] : lines(data);
  return (
    <Panel title="Training performance" hint="iterations over time">
      {isPending && <Loading rows={6} />}
      {data === undefined && error !== null && <Failure error={error} onRetry={() => void refetch()} />}
      {data !== undefined && shown.length === 0 && (
        <Empty icon={<IconChartLine size={22} />} title="No training yet">The newest trainings are drawn here, those under way included.</Empty>
      )}
      {shown.length > 0 && <Drawn shown={shown} />}
    </Panel>
  );
}

function Drawn({ shown }: { shown: Line[] }) {
  const series = shown.map(({ key, label, color }) => ({ name: key, label, color }));
  return (
    <Stack gap="sm">
      <div role="img" aria-label="Iterations over time">
        <LineChart
          h={260}
          data={rows(shown)}
          dataKey="seconds"
          series={series}
          curveType="linear"
          strokeWidth={1.75}
          withDots={false}
          connectNulls
          gridAxis="xy"
          tickLine="none"
          valueFormatter={count}
          xAxisProps={{ type: "number", domain: [0, "auto"], tickFormatter: (seconds: number) => (seconds === 0 ? "0" : duration(seconds * 1_000)), tickMargin: 8, minTickGap: 40 }}
          yAxisProps={{ width: 52, domain: [0, "auto"] }}
          tooltipProps={{ labelFormatter: (seconds) => (typeof seconds === "number" ? duration(seconds * 1_000) : "") }}
          lineChartProps={{ margin: { top: 8, right: 16, left: 0, bottom: 0 } }}
          lineProps={{ isAnimationActive: false }}
        />
      </div>
      <Runs shown={shown} />
    </Stack>
  );
}

function Runs({ shown }: { shown: Line[] }) {
  return (
    <Table.ScrollContainer minWidth={560} scrollAreaProps={{ offsetScrollbars: false }}>
      <Table className="tabular" verticalSpacing={5} aria-label="Runs">
        <Table.Thead>
          <Table.Tr>
            {["Run", "Device", "Pictures", "Batch", "Iterations", "Pictures/s"].map((heading, place) => (
              <Table.Th key={heading} ta={place > 1 ? "right" : undefined}><Text size="xs" c="dimmed" fw={550}>{heading}</Text></Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {shown.map(({ key, label, color, device, run }) => (
            <Table.Tr key={key}>
              <Table.Td>
                <span style={{ display: "inline-block", width: 10, height: 10, borderRadius: 3, marginRight: 8, background: `var(--mantine-color-${color.replace(".", "-")})` }} />
                <AnchorLink to="/jobs/$id" params={{ id: key }} size="sm">{label}</AnchorLink>
              </Table.Td>
              <Table.Td>{device}</Table.Td>
              <Table.Td ta="right">{run.image_size === null ? "–" : `${run.image_size} px`}</Table.Td>
              <Table.Td ta="right">{count(run.batch_size)}</Table.Td>
              <Table.Td ta="right">{count(run.points.at(-1)?.iterations)}</Table.Td>
              <Table.Td ta="right">{significant(run.images_per_second)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
