import { Group, ScrollArea, SegmentedControl, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconFileText } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import type { LogLine } from "~/api/types";
import { absolute, timeOfDay } from "~/format/time";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { Copy } from "~/ui/Copy";
import classes from "./LogsPanel.module.css";
import { jobLogs } from "./queries";

const LEVELS = ["all", "warn", "error"];

/** What the job said while it ran, newest last. */
export function LogsPanel({ id, running }: { id: string; running: boolean }) {
  const [level, setLevel] = useState("all");
  const logs = useQuery({ ...jobLogs(id), refetchInterval: running ? 3_000 : false });
  const end = useRef<HTMLDivElement>(null);
  const lines = (logs.data ?? []).filter((line) => level === "all" || line.level === "error" || line.level === level);

  useEffect(() => {
    if (running) end.current?.scrollIntoView({ block: "nearest" });
  }, [running, lines.length]);

  if (logs.isPending) return <Loading rows={6} />;
  if (logs.isError) return <Failure error={logs.error} onRetry={() => void logs.refetch()} />;
  if (logs.data.length === 0) {
    return <Empty icon={<IconFileText size={22} />} title="No log lines">{running ? "Lines show up as the worker writes them." : "This job wrote nothing."}</Empty>;
  }
  return (
    <>
      <Group justify="space-between" mb="sm">
        <SegmentedControl
          size="xs"
          aria-label="Level"
          data={LEVELS.map((value) => ({ value, label: value === "all" ? "All" : value === "warn" ? "Warnings" : "Errors" }))}
          value={level}
          onChange={setLevel}
        />
        <Copy value={logs.data.map(plain).join("\n")} label="Copy all lines" />
      </Group>
      <ScrollArea.Autosize mah={520} type="auto" className={classes.frame} viewportProps={{ tabIndex: 0, "aria-label": "Log lines" }}>
        <ol className={classes.lines}>
          {lines.map((line, index) => <Line key={index} line={line} />)}
        </ol>
        {lines.length === 0 && <Text size="sm" c="dimmed" p="md">No line of this level.</Text>}
        <div ref={end} />
      </ScrollArea.Autosize>
    </>
  );
}

function Line({ line }: { line: LogLine }) {
  return (
    <li className={classes.line} data-level={line.level}>
      <time className={classes.time} dateTime={line.at} title={absolute(line.at)}>{timeOfDay(line.at)}</time>
      <span className={classes.level}>{line.level}</span>
      <span>{line.message}</span>
    </li>
  );
}

function plain(line: LogLine): string {
  return `${line.at} ${line.level} [attempt ${line.attempt}] ${line.message}`;
}
