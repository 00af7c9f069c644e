import { Button, Center, Group, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { IconDownload, IconPhotoCheck } from "@tabler/icons-react";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { Copy } from "~/ui/Copy";
import { saveFile } from "~/ui/save";
import classes from "./ItemsPanel.module.css";
import { failedItems, failedItemsFile } from "./queries";

/** The pictures that the job could not use, with the reason for each. */
export function ItemsPanel({ id }: { id: string }) {
  const items = useInfiniteQuery(failedItems(id));
  const download = useMutation({
    mutationFn: () => failedItemsFile(id),
    onSuccess: (file) => saveFile(file, `failed-pictures-${id}.csv`),
    onError: (error) => notifications.show({ color: "red", message: error.message }),
  });
  if (items.isPending) return <Loading rows={6} />;
  if (items.isError) return <Failure error={items.error} onRetry={() => void items.refetch()} />;
  const all = items.data.pages.flatMap((page) => page.items);
  if (all.length === 0) {
    return <Empty icon={<IconPhotoCheck size={22} />} title="Every picture was fine">A picture that cannot be read is listed here with its reason; it never fails the job.</Empty>;
  }
  return (
    <>
      <Group justify="flex-end" mb={4}>
        <Button size="xs" variant="default" leftSection={<IconDownload size={15} />} loading={download.isPending} onClick={() => download.mutate()}>
          Download all as CSV
        </Button>
      </Group>
      <ul className={classes.items}>
        {all.map((item) => (
          <li key={item.uri} className={classes.item}>
            <div className={classes.uri}>
              <Text span size="sm" className="mono" truncate title={item.uri}>{item.uri}</Text>
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
