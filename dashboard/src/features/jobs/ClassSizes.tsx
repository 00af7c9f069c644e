import { Progress, Table, Text } from "@mantine/core";
import type { ValidateResult } from "~/api/types";
import { count } from "~/format/number";

/** How many readable pictures each class has, the smallest first, since that is what a training stumbles over. */
export function ClassSizes({ classes }: { classes: ValidateResult["classes"] }) {
  if (classes.length === 0) return null;
  const ordered = [...classes].sort((a, b) => a.readable - b.readable);
  const most = ordered.at(-1)?.readable ?? 0;
  return (
    <>
      <Text size="sm" fw={600} mt="lg" mb={4}>Readable pictures by class, the smallest first</Text>
      <Table verticalSpacing={5} className="tabular">
        <Table.Tbody>
          {ordered.map(({ class: name, files, readable }) => (
            <Table.Tr key={name}>
              <Table.Td>{name}</Table.Td>
              <Table.Td w="45%"><Progress value={(readable / Math.max(1, most)) * 100} size={6} aria-label={`Pictures of ${name}`} /></Table.Td>
              <Table.Td ta="right">{count(readable)}</Table.Td>
              <Table.Td ta="right" c="red" w={110}>{files > readable && `${count(files - readable)} unreadable`}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </>
  );
}
