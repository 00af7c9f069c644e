import { Badge, Group, Text } from "@mantine/core";
import type { MeasuredSetting, RankBy } from "~/api/types";
import { count, percent, significant } from "~/format/number";
import { Panel } from "~/ui/Panel";
import { type SortedColumn, SortedTable } from "~/ui/SortedTable";
import { depths, probesName, probesValue } from "./figures";
import { RankingSwitch } from "./RankingSwitch";

interface Props {
  /** What was asked for first. */
  settings: MeasuredSetting[];
  ranking: RankBy;
  onRanking: (ranking: RankBy) => void;
}

/** What each number of classes looked into costs, and what it finds. */
export function SettingsPanel({ settings, ranking, onRanking }: Props) {
  const [asked] = settings;
  if (asked === undefined) return null;
  const columns: SortedColumn<MeasuredSetting>[] = [
    { key: "probes", label: "Classes to look into", value: ({ probes }) => probesName(probes), cell: (row) => <Setting setting={row} asked={row === asked} /> },
    { key: "partitions", label: "Classes probed", right: true, value: (row) => row.partitions_probed, cell: (row) => significant(row.partitions_probed) },
    { key: "entries", label: "Pictures scanned", right: true, value: (row) => row.entries_scanned, cell: (row) => count(row.entries_scanned) },
    { key: "kept", label: "Hits kept", right: true, value: (row) => row.routing_recall[ranking] ?? null, cell: (row) => percent(row.routing_recall[ranking]) },
    ...depths(asked.precision_at, ranking).map((k): SortedColumn<MeasuredSetting> => ({
      key: `precision ${k}`, label: `P@${k}`, right: true, value: (row) => row.precision_at[ranking]?.[k] ?? null, cell: (row) => percent(row.precision_at[ranking]?.[k]),
    })),
    ...depths(asked.recall_at, ranking).map((k): SortedColumn<MeasuredSetting> => ({
      key: `recall ${k}`, label: `Recall@${k}`, right: true, value: (row) => row.recall_at[ranking]?.[k] ?? null, cell: (row) => small(row.recall_at[ranking]?.[k]),
    })),
    { key: "map", label: "mAP", right: true, value: (row) => row.map_by[ranking] ?? null, cell: (row) => percent(row.map_by[ranking]) },
  ];
  return (
    <Panel title="Settings" hint="side by side" actions={<RankingSwitch of="Settings" ranking={ranking} onRanking={onRanking} />}>
      <Text size="sm" c="dimmed" mb={4}>
        The more classes a search looks into, the longer it takes and the more it finds. Hits kept is the share of the hits of
        a search in all classes.
      </Text>
      <SortedTable label="Settings" rows={settings} columns={columns} rowKey={({ probes }) => String(probes)} first={{ key: "entries", up: true }} minWidth={960} pinned />
    </Panel>
  );
}

function Setting({ setting: { probes }, asked }: { setting: MeasuredSetting; asked: boolean }) {
  return (
    <Group gap={6} wrap="nowrap" component="span">
      <Text span inherit style={{ whiteSpace: "nowrap" }}>{probesName(probes)}</Text>
      <Text span size="xs" c="dimmed" className="mono">{probesValue(probes)}</Text>
      {asked && <Badge size="sm" miw="fit-content">asked for</Badge>}
    </Group>
  );
}

/** A share that may be very small: of a large class few are among the first. */
function small(share: number | undefined): string {
  return share === undefined ? "–" : `${significant(share * 100)} %`;
}
