import { Group, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconArrowLeft, IconStack2 } from "@tabler/icons-react";
import type { StoredGeneration } from "~/api/types";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { AnchorLink } from "~/ui/links";
import { PageHeader } from "~/ui/PageHeader";
import { Panel } from "~/ui/Panel";
import { ComparedPair } from "./ComparedPair";
import { chosenPair, comparable, type Pair } from "./pair";
import { indexGenerations } from "./queries";

interface Props {
  index: string;
  asked: Partial<Pair<number | undefined>>;
  onPair: (pair: Pair<number>) => void;
}

/** Two generations of an index side by side: which answers better, and what activating the other would change. */
export function CompareGenerations({ index, asked, onPair }: Props) {
  const generations = useQuery(indexGenerations(index));
  const all = comparable(generations.data ?? []);
  const pair = chosenPair(all, asked);
  return (
    <>
      <PageHeader
        name={`Compare generations of ${index}`}
        title="Compare generations"
        above={<AnchorLink to="/indexes/$name" params={{ name: index }} size="sm" c="dimmed" w="fit-content"><Group gap={5} component="span"><IconArrowLeft size={14} />{index}</Group></AnchorLink>}
        actions={pair !== null && <Choices all={all} pair={pair} onPair={onPair} />}
      />
      {generations.isPending && <Panel><Loading rows={8} /></Panel>}
      {generations.isError && generations.data === undefined && <Panel><Failure error={generations.error} onRetry={() => void generations.refetch()} /></Panel>}
      {generations.data !== undefined && (
        pair === null ? <Alone /> : <ComparedPair key={`${pair.a.id} ${pair.b.id}`} index={index} pair={pair} />
      )}
    </>
  );
}

function Choices({ all, pair, onPair }: { all: StoredGeneration[]; pair: Pair<StoredGeneration>; onPair: Props["onPair"] }) {
  const ids = { a: pair.a.id, b: pair.b.id };
  const choices = (other: number) => all.map(({ id, state }) => ({ value: String(id), label: `${id}, ${state}`, disabled: id === other }));
  const choose = (side: keyof typeof ids) => (value: string | null) => value !== null && onPair({ ...ids, [side]: Number(value) });
  return (
    <>
      <Select aria-label="One generation" w={150} allowDeselect={false} data={choices(ids.b)} value={String(ids.a)} onChange={choose("a")} />
      <Select aria-label="Other generation" w={150} allowDeselect={false} data={choices(ids.a)} value={String(ids.b)} onChange={choose("b")} />
    </>
  );
}

function Alone() {
  return (
    <Panel>
      <Empty icon={<IconStack2 size={22} />} title="There are no two generations to compare">
        Rebuild the index without activating what it gives; both can be measured then.
      </Empty>
    </Panel>
  );
}
