import { Button, NumberInput, Select, SegmentedControl, Skeleton, Slider, Stack, Text } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { IconPhotoSearch } from "@tabler/icons-react";
import type { IndexSummary } from "~/api/types";
import { count } from "~/format/number";
import { Empty, Failure } from "~/ui/Blank";
import { ButtonLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { PictureDrop } from "~/ui/PictureDrop";
import { DEFAULT_K, MAX_K, type SearchParams } from "./params";

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
        <PictureDrop preview={preview} onPicture={onPicture} onRefused={onRefused} />
        {params.object !== undefined && <Text size="xs" c="dimmed" mt={-8} style={{ overflowWrap: "anywhere" }}>Searched with <span className="mono">{params.object}</span></Text>}
        <Options params={params} onParams={onParams} />
        <Button fullWidth size="md" leftSection={<IconPhotoSearch size={18} />} loading={busy} disabled={!ready} onClick={onSearch}>
          Search
        </Button>
      </Stack>
    </Panel>
  );
}

function Options({ params, onParams }: Pick<Props, "params" | "onParams">) {
  const probes = params.probes ?? "auto";
  const fixed = /^\d+$/.test(probes);
  return (
    <>
      <NumberInput
        label="Hits"
        min={1}
        max={MAX_K}
        value={params.k ?? DEFAULT_K}
        onChange={(value) => onParams({ k: typeof value === "number" && value !== DEFAULT_K ? value : undefined })}
        clampBehavior="strict"
      />
      <div>
        <Text size="sm" fw={500} mb={4} id="rank-by">Rank by</Text>
        <SegmentedControl
          fullWidth
          aria-labelledby="rank-by"
          data={[{ value: "embedding", label: "Embedding" }, { value: "probabilities", label: "Probabilities" }]}
          value={params.rank_by ?? "embedding"}
          onChange={(value) => onParams({ rank_by: value === "probabilities" ? "probabilities" : undefined })}
        />
      </div>
      <div>
        <Text size="sm" fw={500} mb={4} id="probes">Classes to look into</Text>
        <SegmentedControl
          fullWidth
          aria-labelledby="probes"
          data={[{ value: "auto", label: "Likely ones" }, { value: "all", label: "All" }, { value: "1", label: "First" }]}
          value={fixed ? "1" : probes}
          onChange={(value) => onParams({ probes: value === "auto" ? undefined : value })}
        />
        {fixed && (
          <NumberInput
            mt={8}
            aria-label="Number of classes"
            min={1}
            max={1_000}
            prefix="the first "
            value={Number(probes)}
            onChange={(value) => onParams({ probes: typeof value === "number" && value >= 1 ? String(value) : "1" })}
          />
        )}
      </div>
      <div>
        <Text size="sm" fw={500} mb={4}>Least similarity</Text>
        <Slider
          min={0}
          max={1}
          step={0.01}
          label={(value) => value.toFixed(2)}
          thumbLabel="Least similarity"
          key={params.min}
          defaultValue={params.min ?? 0}
          onChangeEnd={(min) => onParams({ min: min > 0 ? min : undefined })}
          marks={[{ value: 0, label: "any" }, { value: 0.5, label: "0.5" }, { value: 1, label: "same" }]}
          mb={18}
          mx={8}
        />
      </div>
    </>
  );
}
