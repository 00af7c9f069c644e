import { ActionIcon, Button, Group, Select, TextInput, Tooltip } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconTag, IconX } from "@tabler/icons-react";
import { useState } from "react";
import { Key } from "~/ui/Key";
import { activeFilters, type JobSearch, PERIODS, type Period } from "./filter";
import classes from "./JobFilters.module.css";
import { KIND_NAMES, kindOf } from "./kinds";

const QUEUES = ["train", "index", "search", "maintenance"];
const PERIOD_CHOICES = Object.entries(PERIODS).map(([value, label]) => ({ value, label }));

/** As the API takes it: a name, a colon, a value. */
const LABEL = /^[^:]+:./;

interface Props {
  search: JobSearch;
  onChange: (change: Partial<JobSearch>) => void;
  onClear: () => void;
}

/** The filters beside the state: kind, queue, label and period. */
export function JobFilters({ search, onChange, onClear }: Props) {
  return (
    <Group gap="xs" className={classes.filters}>
      <Select
        aria-label="Kind"
        placeholder="Any kind"
        clearable
        data={KIND_NAMES.map((value) => ({ value, label: kindOf(value).label }))}
        value={search.kind ?? null}
        onChange={(kind) => onChange({ kind: kind ?? undefined })}
      />
      <Select
        aria-label="Queue"
        placeholder="Any queue"
        clearable
        data={QUEUES}
        value={search.queue ?? null}
        onChange={(queue) => onChange({ queue: queue ?? undefined })}
      />
      <Select
        aria-label="Period"
        placeholder="Any time"
        clearable
        data={PERIOD_CHOICES}
        value={search.since ?? null}
        onChange={(since) => onChange({ since: (since as Period | null) ?? undefined })}
      />
      <LabelFilter value={search.label ?? ""} onChange={(label) => onChange({ label: label === "" ? undefined : label })} />
      {activeFilters(search) > 0 && (
        <Button variant="subtle" color="gray" leftSection={<IconX size={15} />} onClick={onClear}>Clear</Button>
      )}
    </Group>
  );
}

function LabelFilter({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  const [seen, setSeen] = useState(value);
  const [sent, setSent] = useState(value);
  const settle = useDebouncedCallback((next: string) => {
    setSent(next);
    onChange(next);
  }, 350);
  if (value !== seen) {
    // The URL changed. When that was not by this field, the field follows.
    setSeen(value);
    if (value !== sent) setTyped(value);
  }
  const complete = typed === "" || LABEL.test(typed);
  return (
    <TextInput
      aria-label="Label"
      className={classes.label}
      placeholder="Label, as team:vision"
      data-filter-focus
      leftSection={<IconTag size={15} />}
      rightSection={typed === "" ? <span className={classes.hint}><Key>/</Key></span> : (
        <Tooltip label="Clear the label">
          <ActionIcon size="sm" aria-label="Clear the label" onClick={() => {
            setTyped("");
            onChange("");
          }}><IconX size={14} /></ActionIcon>
        </Tooltip>
      )}
      error={!complete && typed.includes(":") ? true : undefined}
      value={typed}
      onChange={(event) => {
        const next = event.currentTarget.value;
        setTyped(next);
        if (next === "" || LABEL.test(next)) settle(next);
      }}
    />
  );
}
