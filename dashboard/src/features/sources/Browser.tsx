import { Anchor, Breadcrumbs, Button, Center, Group, Text, UnstyledButton } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { IconFolder, IconFolderOff, IconPhoto } from "@tabler/icons-react";
import type { SourceObject } from "~/api/types";
import { bytes } from "~/format/number";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";
import classes from "./Browser.module.css";
import { sourceObjects } from "./queries";

interface Props {
  source: string;
  prefix: string;
  onPrefix: (prefix: string) => void;
}

/** Walks through the folders of a source. */
export function Browser({ source, prefix, onPrefix }: Props) {
  const objects = useInfiniteQuery(sourceObjects(source, prefix));
  const all = objects.data?.pages.flatMap((page) => page.items) ?? [];
  const parts = prefix.split("/").filter((part) => part !== "");
  return (
    <Panel
      flush
      title={
        <Breadcrumbs separatorMargin={6} style={{ flexWrap: "wrap" }}>
          <Anchor component="button" inherit onClick={() => onPrefix("")}>{source}</Anchor>
          {parts.map((part, depth) => (
            <Anchor key={depth} component="button" inherit onClick={() => onPrefix(`${parts.slice(0, depth + 1).join("/")}/`)}>{part}</Anchor>
          ))}
        </Breadcrumbs>
      }
    >
      {objects.isPending && <div style={{ padding: 18 }}><Loading rows={6} /></div>}
      {objects.isError && objects.data === undefined && <Failure error={objects.error} onRetry={() => void objects.refetch()} />}
      {objects.isSuccess && all.length === 0 && <Empty icon={<IconFolderOff size={22} />} title="Nothing is here" />}
      <ul className={classes.list}>{all.map((object) => <Row key={object.key} object={object} prefix={prefix} onPrefix={onPrefix} />)}</ul>
      {objects.hasNextPage && (
        <Center p="md">
          <Button variant="default" loading={objects.isFetchingNextPage} onClick={() => void objects.fetchNextPage()}>Load more</Button>
        </Center>
      )}
    </Panel>
  );
}

function Row({ object, prefix, onPrefix }: { object: SourceObject; prefix: string; onPrefix: (prefix: string) => void }) {
  const name = object.key.startsWith(prefix) ? object.key.slice(prefix.length) : object.key;
  if (object.is_prefix) {
    return (
      <li>
        <UnstyledButton className={classes.row} onClick={() => onPrefix(object.key)}>
          <Group gap={10} wrap="nowrap" miw={0}><IconFolder size={17} aria-hidden /><Text span size="sm" fw={550} truncate>{name}</Text></Group>
        </UnstyledButton>
      </li>
    );
  }
  return (
    <li className={classes.row}>
      <Group gap={10} wrap="nowrap" miw={0} c="dimmed"><IconPhoto size={17} aria-hidden /><Text span size="sm" c="var(--mantine-color-text)" truncate title={object.key}>{name}</Text></Group>
      <Text span size="sm" c="dimmed" className="tabular">{bytes(object.size_bytes)}</Text>
      <Text span size="sm" c="dimmed" className={classes.changed}><TimeAgo at={object.modified_at} /></Text>
    </li>
  );
}
