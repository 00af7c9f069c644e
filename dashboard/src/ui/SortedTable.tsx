import { Button, Group, Table, Text, UnstyledButton } from "@mantine/core";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import classes from "./SortedTable.module.css";

export interface SortedColumn<T> {
  key: string;
  label: string;
  /** What rows are ordered by. */
  value: (row: T) => number | string | null;
  /** What is shown; the value when left out. */
  cell?: (row: T) => ReactNode;
  right?: boolean;
}

interface Props<T> {
  label: string;
  rows: T[];
  columns: SortedColumn<T>[];
  rowKey: (row: T) => string;
  first: { key: string; up: boolean };
  /** Rows that are shown until all are asked for; all from the start when left out. */
  few?: number;
  /** What the table does not get narrower than; it scrolls below that. */
  minWidth?: number;
  /** Whether the first column stays in sight while the rest scrolls. */
  pinned?: boolean;
}

/** A table whose rows are ordered by the column that was asked for. */
export function SortedTable<T>({ label, rows, columns, rowKey, first, few, minWidth = 420, pinned = false }: Props<T>) {
  const [order, setOrder] = useState(first);
  const [limit, setLimit] = useState(few ?? Number.POSITIVE_INFINITY);
  const column = columns.find(({ key }) => key === order.key) ?? columns[0];
  const sorted = column === undefined ? rows : [...rows].sort((a, b) => compared(column.value(a), column.value(b), order.up));
  return (
    <>
      <Table.ScrollContainer minWidth={minWidth} scrollAreaProps={{ offsetScrollbars: false }}>
        <Table className={`${classes.table} tabular`} data-pinned={pinned || undefined} verticalSpacing={6} aria-label={label}>
          <Table.Thead>
            <Table.Tr>
              {columns.map((each) => (
                <Table.Th key={each.key} aria-sort={order.key !== each.key ? "none" : order.up ? "ascending" : "descending"}>
                  <UnstyledButton w="100%" onClick={() => setOrder({ key: each.key, up: order.key === each.key ? !order.up : true })}>
                    <Group gap={4} wrap="nowrap" justify={each.right ? "flex-end" : "flex-start"}>
                      <Text size="xs" c="dimmed" fw={550} ta={each.right ? "right" : undefined}>{each.label}</Text>
                      {order.key === each.key && (order.up ? <IconArrowUp size={12} aria-hidden /> : <IconArrowDown size={12} aria-hidden />)}
                    </Group>
                  </UnstyledButton>
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {sorted.slice(0, limit).map((row) => (
              <Table.Tr key={rowKey(row)}>
                {columns.map((each) => <Table.Td key={each.key} ta={each.right ? "right" : undefined}>{each.cell?.(row) ?? each.value(row) ?? "–"}</Table.Td>)}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {rows.length > limit && (
        <Button mt="sm" variant="default" size="xs" onClick={() => setLimit(rows.length)}>Show all {rows.length}</Button>
      )}
    </>
  );
}

/** What is not known comes last, whichever way. */
export function compared(a: number | string | null, b: number | string | null, up: boolean): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  return up ? order : -order;
}
