import { Anchor, Breadcrumbs, Button, Center, Group, Text, UnstyledButton } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { IconFolder, IconFolderOff, IconPhoto } from "@tabler/icons-react";
import type { SourceObject } from "~/api/types";
import { bytes } from "~/format/number";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { AnchorLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";
import classes from "./Browser.module.css";
import { CheckButton } from "./CheckButton";
import { sourceObjects } from "./queries";
import { UploadActions } from "./UploadActions";

interface Props {
  source: string;
  prefix: string;
  writable: boolean;
  onPrefix: (prefix: string) => void;
}

/** Walks through the folders of a source. */
export function Browser({ source, prefix, writable, onPrefix }: Props) {
  const objects = useInfiniteQuery(sourceObjects(source, prefix));
  const all = objects.data?.pages.flatMap((page) => page.items) ?? [];
  const parts = prefix.split("/").filter((part) => part !== "");
  return (
    <Panel
      flush
      actions={
        <Group gap="xs">
          {all.some((object) => object.is_prefix) && <CheckButton source={source} prefix={prefix} />}
          {writable && <UploadActions set={parts[0] ?? ""} onPrefix={onPrefix} />}
        </Group>
      }
      title={
        <Breadcrumbs separatorMargin={6} style={{ flexWrap: "wrap" }}>
          {[source, ...parts].map((part, depth) => (
            <Crumb key={depth} name={part} here={depth === parts.length} onOpen={() => onPrefix(parts.slice(0, depth).map((each) => `${each}/`).join(""))} />
          ))}
        </Breadcrumbs>
      }
    >
      {objects.isPending && <div style={{ padding: 18 }}><Loading rows={6} /></div>}
      {objects.isError && objects.data === undefined && <Failure error={objects.error} onRetry={() => void objects.refetch()} />}
      {objects.isSuccess && all.length === 0 && <Empty icon={<IconFolderOff size={22} />} title="Nothing is here" />}
      <ul className={classes.list}>{all.map((object) => <Row key={object.key} source={source} object={object} prefix={prefix} onPrefix={onPrefix} />)}</ul>
      {objects.hasNextPage && (
        <Center p="md">
          <Button variant="default" loading={objects.isFetchingNextPage} onClick={() => void objects.fetchNextPage()}>Load more</Button>
        </Center>
      )}
    </Panel>
  );
}

function Crumb({ name, here, onOpen }: { name: string; here: boolean; onOpen: () => void }) {
  if (here) return <Text span inherit aria-current="location">{name}</Text>;
  return <Anchor component="button" inherit onClick={onOpen}>{name}</Anchor>;
}

function Row({ source, object, prefix, onPrefix }: Omit<Props, "writable"> & { object: SourceObject }) {
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
      <Group gap={10} wrap="nowrap" miw={0} c="dimmed"><IconPhoto size={17} aria-hidden /><AnchorLink to="/search" search={{ object: `${source}/${object.key}` }} size="sm" c="var(--mantine-color-text)" truncate title={`Search with ${object.key}`}>{name}</AnchorLink></Group>
      <Text span size="sm" c="dimmed" className="tabular">{bytes(object.size_bytes)}</Text>
      <Text span size="sm" c="dimmed" className={classes.changed}><TimeAgo at={object.modified_at} /></Text>
    </li>
  );
}
