import { Group, Text } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck, IconCircleDashed } from "@tabler/icons-react";
import type { Source, SourceTest } from "~/api/types";
import { headline } from "~/features/jobs/outcome";
import { bytes } from "~/format/number";
import { TimeAgo } from "~/ui/TimeAgo";
import { remedy, seen, took } from "./tested";
import classes from "./Sources.module.css";

/** What a test found out about a source: what is there, or what is wrong and what would help. */
export function TestReport({ source, test }: { source: Source; test: SourceTest }) {
  const { error, sample, milliseconds } = test;
  const time = <Text span size="xs" c="dimmed" className={`${classes.time} tabular`}>{took(milliseconds)}</Text>;
  if (error !== null) {
    return (
      <div className={classes.report} data-wrong>
        <Group gap={6} wrap="nowrap">
          <IconAlertTriangle size={16} className={classes.mark} aria-hidden />
          <Text size="sm" fw={600} flex={1}>{headline(error.code)}</Text>
          {time}
        </Group>
        <Text size="xs" mt={4}><span className="mono">{error.code}</span>: {error.detail}</Text>
        <Text size="xs" c="dimmed" mt={6}>{remedy(error.code, source)}</Text>
      </div>
    );
  }
  const empty = test.objects_seen === 0;
  const Mark = empty ? IconCircleDashed : IconCircleCheck;
  return (
    <div className={classes.report} data-empty={empty || undefined}>
      <Group gap={6} wrap="nowrap">
        <Mark size={16} className={classes.mark} aria-hidden />
        <Text size="sm" fw={600} flex={1}>{seen(test)}</Text>
        {time}
      </Group>
      {sample !== null && (
        <Text size="xs" component="div" mt={4}>
          Read from <span className="mono">{sample.key}</span>
          <Text span inherit c="dimmed">, {bytes(sample.size_bytes)}, changed <TimeAgo at={sample.modified_at} /></Text>
        </Text>
      )}
      {empty && <Text size="xs" c="dimmed" mt={4}>{source.writable ? "Upload pictures to fill it." : "It can be read. If something should be there, look at its address."}</Text>}
      {!empty && sample === null && <Text size="xs" c="dimmed" mt={4}>None of them has a name that can be read.</Text>}
    </div>
  );
}
