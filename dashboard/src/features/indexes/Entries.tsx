import { Button, Center, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { IconPhoto } from "@tabler/icons-react";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { Panel } from "~/ui/Panel";
import { Thumb } from "~/ui/Thumb";
import classes from "./Entries.module.css";
import { indexEntries } from "./queries";

/** The pictures of an index, or of one of its classes; each starts a search. */
export function Entries({ index, chosen }: { index: string; chosen: string | undefined }) {
  const entries = useInfiniteQuery(indexEntries(index, chosen));
  const all = entries.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Panel title="Pictures" hint={chosen ?? "of all classes"}>
      {entries.isPending && <Loading rows={6} />}
      {entries.isError && entries.data === undefined && <Failure error={entries.error} onRetry={() => void entries.refetch()} />}
      {entries.isSuccess && all.length === 0 && <Empty icon={<IconPhoto size={22} />} title="No picture here yet" />}
      <ul className={classes.grid}>
        {all.map((entry) => (
          <li key={entry.entry_id}>
            <Link to="/search" search={{ index, entry: entry.entry_id }} className={classes.link} title={`Search with ${entry.uri}`}>
              <Thumb src={entry.thumbnail} alt={entry.uri} />
              <Text span size="xs" c="dimmed" truncate display="block" mt={4}>{entry.class}</Text>
            </Link>
          </li>
        ))}
      </ul>
      {entries.hasNextPage && (
        <Center mt="md">
          <Button variant="default" loading={entries.isFetchingNextPage} onClick={() => void entries.fetchNextPage()}>Load more</Button>
        </Center>
      )}
    </Panel>
  );
}
