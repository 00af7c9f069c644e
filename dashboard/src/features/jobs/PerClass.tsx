import { Progress, Table, Text } from "@mantine/core";
import type { EvaluateResult } from "~/api/types";
import { count } from "~/format/number";

/** P@1 of every class, the worst first. */
export function PerClass({ rows }: { rows: EvaluateResult["per_class"] }) {
  if (rows.length === 0) return null;
  const ordered = rows
    .map((row) => ({ name: row.class, queries: row.queries, p1: row.precision_at.embedding?.["1"] ?? null }))
    .sort((a, b) => (a.p1 ?? 2) - (b.p1 ?? 2));
  return (
    <>
      <Text size="sm" fw={600} mt="lg" mb={4}>P@1 by class, the weakest first</Text>
      <Table verticalSpacing={5} className="tabular">
        <Table.Tbody>
          {ordered.map(({ name, queries, p1 }) => (
            <Table.Tr key={name}>
              <Table.Td>{name}</Table.Td>
              <Table.Td w="45%"><Progress value={(p1 ?? 0) * 100} size={6} aria-label={`P@1 of ${name}`} /></Table.Td>
              <Table.Td ta="right">{p1 === null ? "–" : p1.toFixed(3)}</Table.Td>
              <Table.Td ta="right" c="dimmed" visibleFrom="xs">{count(queries)} queries</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </>
  );
}
