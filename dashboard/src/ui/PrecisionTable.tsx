import { Table, Text } from "@mantine/core";
import type { PrecisionAt, RankBy } from "~/api/types";

const NAMES: Record<RankBy, string> = { embedding: "By embedding", probabilities: "By probabilities" };

interface Props {
  precision: PrecisionAt;
  /** Mean average precision, where it was measured. */
  map?: Partial<Record<RankBy, number>>;
}

/** The share of right hits among the first k, for both rankings. */
export function PrecisionTable({ precision, map = {} }: Props) {
  const rankings = (["embedding", "probabilities"] as const).filter((ranking) => precision[ranking] !== undefined);
  const ks = [...new Set(rankings.flatMap((ranking) => Object.keys(precision[ranking] ?? {})))].sort((a, b) => Number(a) - Number(b));
  if (ks.length === 0) return null;
  const withMap = Object.keys(map).length > 0;
  return (
    <Table.ScrollContainer minWidth={280} mt="md" scrollAreaProps={{ offsetScrollbars: false }}>
      <Table className="tabular" verticalSpacing={7}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th><Text size="xs" c="dimmed" fw={550}>Ranking</Text></Table.Th>
            {ks.map((k) => <Table.Th key={k} ta="right"><Text size="xs" c="dimmed" fw={550}>P@{k}</Text></Table.Th>)}
            {withMap && <Table.Th ta="right"><Text size="xs" c="dimmed" fw={550}>mAP</Text></Table.Th>}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rankings.map((ranking) => (
            <Table.Tr key={ranking}>
              <Table.Td>{NAMES[ranking]}</Table.Td>
              {ks.map((k) => <Table.Td key={k} ta="right">{precision[ranking]?.[k]?.toFixed(3) ?? "–"}</Table.Td>)}
              {withMap && <Table.Td ta="right">{map[ranking]?.toFixed(3) ?? "–"}</Table.Td>}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
