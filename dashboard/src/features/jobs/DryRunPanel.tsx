import { Alert, ScrollArea, Stack, Text } from "@mantine/core";
import { IconEye } from "@tabler/icons-react";
import type { DryRunResult } from "~/api/types";
import { count } from "~/format/number";
import { duration } from "~/format/time";
import { Figures } from "~/ui/Figures";
import { ButtonLink } from "~/ui/links";
import classes from "./DryRunPanel.module.css";
import { JsonPanel } from "./JsonPanel";

const KINDS = [
  { kind: "added", title: "Would be added" },
  { kind: "updated", title: "Would be updated" },
  { kind: "removed", title: "Would be removed" },
] as const;

/** What an index job would have done: the counts, and some pictures of each kind. */
export function DryRunPanel({ result }: { result: DryRunResult }) {
  return (
    <JsonPanel
      title="Result"
      hint={`dry run of ${result.index}, generation ${result.generation}`}
      value={result}
      actions={<ButtonLink size="xs" variant="default" to="/indexes/$name" params={{ name: result.index }}>Open the index</ButtonLink>}
    >
      <Stack gap="md">
        <Alert color="blue" icon={<IconEye size={18} />}>Nothing was written: this is what the job would have done.</Alert>
        <Figures
          figures={[
            { label: "To add", value: count(result.added) },
            { label: "To update", value: count(result.updated) },
            { label: "To remove", value: count(result.removed), tone: result.removed > 0 ? "red" : undefined },
            { label: "Unchanged", value: count(result.unchanged) },
            { label: "Took", value: duration(result.seconds * 1_000) },
          ]}
        />
        {KINDS.map(({ kind, title }) => <Examples key={kind} title={title} files={result.examples[kind]} all={result[kind]} />)}
      </Stack>
    </JsonPanel>
  );
}

function Examples({ title, files, all }: { title: string; files: string[]; all: number }) {
  if (files.length === 0) return null;
  return (
    <section>
      <Text component="h3" size="sm" fw={600} m={0} mb={4}>{title}</Text>
      <ScrollArea.Autosize mah={260} type="auto" viewportProps={{ tabIndex: 0, "aria-label": title }}>
        <ul className={classes.files}>
          {files.map((uri) => <li key={uri}><Text span size="sm" className="mono">{uri}</Text></li>)}
        </ul>
      </ScrollArea.Autosize>
      {all > files.length && <Text size="sm" c="dimmed" mt={4}>and {count(all - files.length)} more</Text>}
    </section>
  );
}
