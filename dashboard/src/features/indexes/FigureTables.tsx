// The tables of two generations: every figure beside its counterpart, and every class.
import { Group, Table, Text, VisuallyHidden } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { percent, points } from "~/format/number";
import { type SortedColumn, SortedTable } from "~/ui/SortedTable";
import classes from "./FigureTables.module.css";
import { type ClassFigures, type Figure, tally } from "./figures";
import type { Pair } from "./pair";

interface Props {
  names: Pair<string>;
  figures: Figure[];
}

export function FigureTable({ names, figures }: Props) {
  return (
    <>
      <Text size="sm" c="dimmed" mb={4}>{tally(names, figures)}</Text>
      <Table className="tabular" verticalSpacing={7} horizontalSpacing={6} aria-label="Figures">
        <Table.Thead>
          <Table.Tr>
            {["Figure", `Gen. ${names.a}`, `Gen. ${names.b}`, "Points"].map((heading, place) => (
              <Table.Th key={heading} ta={place === 0 ? undefined : "right"}><Text size="xs" c="dimmed" fw={550}>{heading}</Text></Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {figures.map(({ label, a, b, difference, better }) => (
            <Table.Tr key={label}>
              <Table.Td>{label}</Table.Td>
              <Table.Td><Share value={a} better={better === "a"} /></Table.Td>
              <Table.Td><Share value={b} better={better === "b"} /></Table.Td>
              <Table.Td ta="right"><Text span inherit className={tone(better)}>{points(difference)}</Text></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </>
  );
}

/** How a difference looks: whether the second is better, worse or neither. */
function tone(better: Figure["better"]): string | undefined {
  return better === null ? undefined : better === "b" ? classes.better : classes.worse;
}

function Share({ value, better }: { value: number | null; better: boolean }) {
  return (
    <Group gap={4} justify="flex-end" wrap="nowrap" component="span">
      {better && <IconCheck size={14} stroke={2.6} className={classes.better} aria-hidden />}
      <Text span inherit fw={better ? 650 : undefined} style={{ whiteSpace: "nowrap" }}>{percent(value)}</Text>
      {better && <VisuallyHidden>better</VisuallyHidden>}
    </Group>
  );
}

export function ClassTable({ names, rows }: { names: Pair<string>; rows: ClassFigures[] }) {
  const columns: SortedColumn<ClassFigures>[] = [
    { key: "class", label: "Class", value: (row) => row.class },
    change("precision", rows[0]?.precision.label ?? "Precision"),
    ...(rows.some(({ map }) => map.a !== null || map.b !== null) ? [change("map", "mAP")] : []),
  ];
  return (
    <>
      <Text size="sm" c="dimmed" mb={4}>From generation {names.a} to {names.b}, in points; what got worse first.</Text>
      <SortedTable label="Figures by class" rows={rows} columns={columns} rowKey={(row) => row.class} first={{ key: "precision", up: true }} few={30} minWidth={0} />
    </>
  );
}

function change(key: "precision" | "map", label: string): SortedColumn<ClassFigures> {
  return {
    key, label, right: true,
    value: (row) => row[key].difference,
    cell: (row) => {
      const { a, b, difference, better } = row[key];
      return <>{percent(a, 0)} → {percent(b, 0)} {difference !== null && <Text span inherit className={tone(better)}>{points(difference)}</Text>}</>;
    },
  };
}
