import { Button, Select, Skeleton, Stack, Text } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { IconPhotoSearch } from "@tabler/icons-react";
import type { IndexSummary } from "~/api/types";
import { count } from "~/format/number";
import { Empty, Failure } from "~/ui/Blank";
import { ButtonLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { PictureDrop } from "~/ui/PictureDrop";
import { Options } from "./Options";
import { cropOf, type SearchParams, written } from "./params";

interface Props {
  indexes: UseQueryResult<IndexSummary[]>;
  index: string | undefined;
  params: SearchParams;
  preview: string | null;
  ready: boolean;
  busy: boolean;
  onParams: (change: Partial<SearchParams>) => void;
  onPicture: (picture: File) => void;
  onRefused: (reason: string) => void;
  onSearch: () => void;
}

/** What to look for, where and how. */
export function QueryPanel({ indexes, index, params, preview, ready, busy, onParams, onPicture, onRefused, onSearch }: Props) {
  if (indexes.isError) return <Panel><Failure error={indexes.error} onRetry={() => void indexes.refetch()} /></Panel>;
  if (indexes.isPending) return <Panel><Skeleton height={420} /></Panel>;
  if (indexes.data.length === 0) {
    return (
      <Panel>
        <Empty icon={<IconPhotoSearch size={22} />} title="No index to search yet" action={<ButtonLink to="/indexes" variant="default">To the indexes</ButtonLink>}>
          Fill one first; its pictures can be searched as soon as the first batch is in.
        </Empty>
      </Panel>
    );
  }
  const chosen = indexes.data.find(({ name }) => name === index);
  return (
    <Panel>
      <Stack gap="md">
        <Select
          label="Index"
          allowDeselect={false}
          data={indexes.data.map(({ name }) => name)}
          value={index ?? null}
          onChange={(name) => onParams({ index: name ?? undefined, entry: undefined, job: undefined })}
          description={chosen && `${count(chosen.entries)} pictures${chosen.model === null ? "" : `, by ${chosen.model}`}`}
          inputWrapperOrder={["label", "input", "description", "error"]}
        />
        <PictureDrop
          preview={preview}
          crop={cropOf(params.crop)}
          onCrop={(crop) => onParams({ crop: written(crop) })}
          onPicture={onPicture}
          onRefused={onRefused}
        />
        {params.object !== undefined && <Text size="xs" c="dimmed" mt={-8} style={{ overflowWrap: "anywhere" }}>Searched with <span className="mono">{params.object}</span></Text>}
        <Options params={params} onParams={onParams} />
        <Button fullWidth size="md" leftSection={<IconPhotoSearch size={18} />} loading={busy} disabled={!ready} onClick={onSearch}>
          Search
        </Button>
      </Stack>
    </Panel>
  );
}
