import { ActionIcon, Group, Text, Tooltip, UnstyledButton } from "@mantine/core";
import { IconPhotoSearch } from "@tabler/icons-react";
import type { SearchHit } from "~/api/types";
import { Thumb } from "~/ui/Thumb";
import classes from "./HitCard.module.css";

interface Props {
  hit: SearchHit;
  onOpen: () => void;
  onSearch: () => void;
}

/** One look-alike. */
export function HitCard({ hit, onOpen, onSearch }: Props) {
  return (
    <li className={classes.hit}>
      <div className={classes.picture}>
        <UnstyledButton className={classes.open} onClick={onOpen} aria-label={`Open hit ${hit.rank}: ${hit.class}, ${hit.uri}`}>
          <Thumb src={hit.thumbnail} alt="" />
        </UnstyledButton>
        <span className={classes.rank} aria-hidden>{hit.rank}</span>
        <Tooltip label="Search with this picture">
          <ActionIcon className={classes.again} variant="filled" color="dark" aria-label={`Search with hit ${hit.rank}`} onClick={onSearch}>
            <IconPhotoSearch size={16} />
          </ActionIcon>
        </Tooltip>
        <span className={classes.bar} aria-hidden><span style={{ width: `${hit.similarity * 100}%` }} /></span>
      </div>
      <Group justify="space-between" gap={6} mt={7} wrap="nowrap">
        <Text size="sm" fw={600} truncate>{hit.class}</Text>
        <Text size="sm" fw={600} className="tabular" title="Similarity">{hit.similarity.toFixed(3)}</Text>
      </Group>
      <Group justify="space-between" gap={8} wrap="nowrap">
        <Text size="xs" c="dimmed" truncate title={hit.uri} className={classes.uri}>{fileName(hit.uri)}</Text>
        <Text size="xs" c="dimmed" className="tabular" style={{ whiteSpace: "nowrap" }} title="Distance">{hit.distance.toFixed(3)} away</Text>
      </Group>
    </li>
  );
}

function fileName(uri: string): string {
  return uri.slice(uri.lastIndexOf("/") + 1);
}
