import { Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { ApiError } from "~/api/client";
import { absolute } from "~/format/time";
import { dueTimes } from "./queries";
import classes from "./SchedulesPanel.module.css";
import { type Draft, timing } from "./words";

/** Typing is over after so long. */
const PAUSE_MS = 350;
const SHOWN = 3;

/** When a schedule that is being filled in would be due, or why that cannot be told. */
export function DueTimes({ draft }: { draft: Draft }) {
  const written = JSON.stringify(timing(draft));
  const [settled] = useDebouncedValue(written, PAUSE_MS);
  const preview = useQuery(dueTimes(JSON.parse(settled) as ReturnType<typeof timing>));
  const stale = settled !== written || preview.isPlaceholderData;
  return (
    <div aria-live="polite" style={{ minHeight: 86, opacity: stale ? 0.6 : 1 }}>
      <Text size="sm" fw={500} mb={4}>Next due times</Text>
      {preview.isError && <Text size="sm" c="red" className={classes.line}>{reason(preview.error)}</Text>}
      {preview.isSuccess && (
        <ul className={classes.list}>
          {preview.data.next.slice(0, SHOWN).map((at) => (
            <li key={at}><Text size="sm" c="dimmed" className="tabular">{absolute(at)}</Text></li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** What is wrong with a field, without its name: the field is right above. */
function reason(error: Error): string {
  const fields = error instanceof ApiError ? error.fields : [];
  return fields.length > 0 ? fields.map(({ detail }) => detail).join("; ") : error.message;
}
