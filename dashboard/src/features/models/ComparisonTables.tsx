// The tables of a comparison: figures, classes and fields of two versions beside each other.
import { Table, Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { Comparison } from "~/api/types";
import { percent, points, significant } from "~/format/number";
import { type SortedColumn, SortedTable } from "~/ui/SortedTable";

interface Names {
  a: string;
  b: string;
}

const LABELS: Record<string, string> = {
  validation_accuracy: "Validation accuracy", validation_loss: "Validation loss", train_accuracy: "Training accuracy", train_loss: "Training loss",
  "precision_at.embedding.1": "P@1", "precision_at.embedding.5": "P@5", "precision_at.embedding.10": "P@10", "map.embedding": "mAP",
  "precision_at.probabilities.1": "P@1 by probabilities", "precision_at.probabilities.5": "P@5 by probabilities",
  "precision_at.probabilities.10": "P@10 by probabilities", "map.probabilities": "mAP by probabilities",
  "calibration.ece_after": "Calibration error", images_per_second: "Pictures per second", epochs: "Epochs", seconds: "Seconds",
};

/** The colour of a difference: better, worse, or neither. */
export function tone(difference: number | null, higherIsBetter: boolean | null): string | undefined {
  if (difference === null || difference === 0 || higherIsBetter === null) return undefined;
  return difference > 0 === higherIsBetter ? "teal" : "red";
}

function signed(difference: number | null): string {
  if (difference === null) return "–";
  return `${difference > 0 ? "+" : difference < 0 ? "−" : "±"}${significant(Math.abs(difference))}`;
}

export function MetricDifferences({ names, rows }: { names: Names; rows: Comparison["metrics"] }) {
  if (rows.length === 0) return <Text size="sm" c="dimmed">Neither was measured.</Text>;
  return (
    <Sided names={names} heading="Figure" third="Difference">
      {rows.map(({ name, a, b, difference, higher_is_better }) => (
        <Table.Tr key={name}>
          <Table.Td>{LABELS[name] ?? name}</Table.Td>
          <Table.Td ta="right">{significant(a)}</Table.Td>
          <Table.Td ta="right">{significant(b)}</Table.Td>
          <Table.Td ta="right"><Text span inherit c={tone(difference, higher_is_better)}>{signed(difference)}</Text></Table.Td>
        </Table.Tr>
      ))}
    </Sided>
  );
}

export function FieldDifferences({ names, rows }: { names: Names; rows: { field: string; a: unknown; b: unknown }[] }) {
  if (rows.length === 0) return <Text size="sm" c="dimmed">Nothing differs.</Text>;
  return (
    <Sided names={names} heading="Field">
      {rows.map(({ field, a, b }) => (
        <Table.Tr key={field}>
          <Table.Td>{field.replaceAll("_", " ").replaceAll(".", ", ")}</Table.Td>
          <Table.Td ta="right" style={{ overflowWrap: "anywhere" }}>{written(a)}</Table.Td>
          <Table.Td ta="right" style={{ overflowWrap: "anywhere" }}>{written(b)}</Table.Td>
        </Table.Tr>
      ))}
    </Sided>
  );
}

function written(value: unknown): string {
  if (value === null || value === "") return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function Sided({ names, heading, third, children }: { names: Names; heading: string; third?: string; children: ReactNode }) {
  const headings = [names.a, names.b, ...(third === undefined ? [] : [third])];
  return (
    <Table.ScrollContainer minWidth={300} scrollAreaProps={{ offsetScrollbars: false }}>
      <Table className="tabular" verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th><Text size="xs" c="dimmed" fw={550}>{heading}</Text></Table.Th>
            {headings.map((each, place) => <Table.Th key={`${place} ${each}`} ta="right"><Text size="xs" c="dimmed" fw={550}>{each}</Text></Table.Th>)}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>{children}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

type ClassRow = NonNullable<Comparison["per_class"]>[number];

function change(key: "recall" | "precision" | "precision_at_10", label: string): SortedColumn<ClassRow> {
  return {
    key, label, right: true,
    value: (row) => row[key].difference,
    cell: (row) => {
      const { a, b, difference } = row[key];
      return <>{percent(a, 0)} → {percent(b, 0)} <Text span inherit c={tone(difference, true)}>{difference === null || difference === 0 ? "" : points(difference)}</Text></>;
    },
  };
}

const CLASS_COLUMNS = [
  { key: "class", label: "Class", value: (row: ClassRow) => row.class },
  change("recall", "Recall"),
  change("precision", "Precision"),
  change("precision_at_10", "P@10"),
];

export function ClassDifferences({ names, rows }: { names: Names; rows: ClassRow[] }) {
  return (
    <>
      <Text size="sm" c="dimmed" mb={4}>From {names.a} to {names.b}, in points; what got worse first.</Text>
      <SortedTable label="Figures by class" rows={rows} columns={CLASS_COLUMNS} rowKey={(row) => row.class} first={{ key: "recall", up: true }} />
    </>
  );
}
