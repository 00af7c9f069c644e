import { ActionIcon, Button, Grid, Group, Modal, Text } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconChevronLeft, IconChevronRight, IconPhotoSearch } from "@tabler/icons-react";
import type { SearchHit } from "~/api/types";
import { significant } from "~/format/number";
import { Mono } from "~/ui/Copy";
import { Facts } from "~/ui/Facts";
import { Readable } from "~/ui/Readable";
import { Thumb } from "~/ui/Thumb";
import { entryPicture } from "./queries";

interface Props {
  hits: SearchHit[];
  position: number | null;
  index: string;
  onPosition: (position: number | null) => void;
  onSearch: (entry: string) => void;
}

/** One hit in full; the arrow keys go through them. */
export function HitModal({ hits, position, index, onPosition, onSearch }: Props) {
  const hit = position === null ? undefined : hits[position];
  const move = (step: number) => {
    if (position !== null && hits[position + step] !== undefined) onPosition(position + step);
  };
  useHotkeys([["ArrowLeft", () => move(-1)], ["ArrowRight", () => move(1)]]);
  return (
    <Modal opened={hit !== undefined} onClose={() => onPosition(null)} size={920} title={hit && <Text fw={620} size="lg" span>{hit.class}</Text>}>
      {hit !== undefined && (
        <Grid gap="lg">
          <Grid.Col span={{ base: 12, sm: 7 }}>
            <Thumb key={hit.entry_id} src={entryPicture(index, hit.entry_id, "image")} alt={`${hit.class}, ${hit.uri}`} whole />
          </Grid.Col>
          <Grid.Col span={{ base: 12, sm: 5 }}>
            <Facts
              facts={[
                { label: "Rank", value: `${hit.rank} of ${hits.length}` },
                { label: "Similarity", value: hit.similarity.toFixed(4) },
                { label: "Distance", value: significant(hit.distance) },
                { label: "Picture", value: <Mono value={hit.uri} label="Copy the address" whole /> },
                { label: "Entry", value: <Mono value={hit.entry_id} label="Copy the id" /> },
              ]}
            />
            {Object.keys(hit.metadata).length > 0 && (
              <>
                <Text size="sm" fw={600} mt="md">Metadata</Text>
                <Readable value={hit.metadata} />
              </>
            )}
            <Group mt="md" gap="xs" wrap="nowrap">
              <Button flex={1} leftSection={<IconPhotoSearch size={16} />} onClick={() => onSearch(hit.entry_id)}>Search with this</Button>
              <ActionIcon variant="default" size={36} aria-label="Previous hit" disabled={position === 0} onClick={() => move(-1)}><IconChevronLeft size={18} /></ActionIcon>
              <ActionIcon variant="default" size={36} aria-label="Next hit" disabled={position === hits.length - 1} onClick={() => move(1)}><IconChevronRight size={18} /></ActionIcon>
            </Group>
          </Grid.Col>
        </Grid>
      )}
    </Modal>
  );
}
