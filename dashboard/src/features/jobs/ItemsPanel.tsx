import { Button, Center, Text } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { IconPhotoCheck } from "@tabler/icons-react";
import type { Job } from "~/api/types";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { Copy } from "~/ui/Copy";
import { CodeChips } from "./CodeChips";
import { ItemActions } from "./ItemActions";
import { failedCounts, failedItems } from "./items";
import classes from "./ItemsPanel.module.css";

interface Props {
  job: Job;
  /** The reasons that are shown; empty shows all. */
  codes: string[];
  onCodes: (codes: string[]) => void;
}

/** The pictures that the job could not use, counted and filtered by reason. */
export function ItemsPanel({ job, codes, onCodes }: Props) {
  const items = useInfiniteQuery(failedItems(job.id, codes));
  const counts = useQuery(failedCounts(job.id));
  if (items.isPending) return <Loading rows={6} />;
  if (items.isError) return <Failure error={items.error} onRetry={() => void items.refetch()} />;
  const all = items.data.pages.flatMap((page) => page.items);
  if (all.length === 0 && codes.length === 0) {
    return <Empty icon={<IconPhotoCheck size={22} />} title="Every picture was fine">A picture that cannot be read is listed here with its reason; it never fails the job.</Empty>;
  }
  return (
    <>
      <div className={classes.head}>
        {counts.data === undefined ? <span /> : <CodeChips summary={counts.data} chosen={codes} onChoose={onCodes} />}
        {all.length > 0 && <ItemActions job={job} codes={codes} />}
      </div>
      {all.length === 0 && <Empty icon={<IconPhotoCheck size={22} />} title="No picture failed for this reason" />}
      <ul className={classes.items} aria-busy={items.isPlaceholderData}>
        {all.map((item) => (
          <li key={item.uri} className={classes.item}>
            <div className={classes.uri}>
              <Text span size="sm" className="mono">{item.uri}</Text>
              <Copy value={item.uri} label="Copy the address" />
            </div>
            <Text size="sm" c="dimmed">
              <Text span c="red" size="sm" className="mono" mr={8}>{item.code}</Text>
              {item.detail}
            </Text>
          </li>
        ))}
      </ul>
      {items.hasNextPage && (
        <Center mt="md">
          <Button variant="default" loading={items.isFetchingNextPage} onClick={() => void items.fetchNextPage()}>Load more</Button>
        </Center>
      )}
    </>
  );
}
