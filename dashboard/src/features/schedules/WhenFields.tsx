import { Group, NumberInput, SegmentedControl, Select, Text, TextInput } from "@mantine/core";
import { type Draft, LENGTHS } from "./words";

interface Props {
  draft: Draft;
  errorAt: (...pointers: string[]) => string | undefined;
  onChange: (more: Partial<Draft>) => void;
}

/** When a schedule is due: every so often, or by a cron expression. */
export function WhenFields({ draft, errorAt, onChange }: Props) {
  return (
    <>
      <div>
        <Text size="sm" fw={500} mb={4} id="schedule-by">Due</Text>
        <SegmentedControl
          fullWidth
          aria-labelledby="schedule-by"
          data={[{ value: "every", label: "At an interval" }, { value: "cron", label: "At fixed times" }]}
          value={draft.by}
          onChange={(value) => onChange({ by: value === "cron" ? "cron" : "every" })}
        />
      </div>
      {draft.by === "every" ? (
        <Group gap="xs" align="flex-start" grow>
          <NumberInput label="Every" min={1} allowDecimal={false} allowNegative={false} value={draft.amount} error={errorAt("/every_seconds")} onChange={(amount) => onChange({ amount })} />
          <Select label="Unit" allowDeselect={false} data={LENGTHS} value={draft.length} onChange={(value) => onChange({ length: value ?? "minutes" })} />
        </Group>
      ) : (
        <Group gap="xs" align="flex-start" grow>
          <TextInput
            label="Cron expression"
            description="Minute, hour, day, month, weekday"
            inputWrapperOrder={["label", "input", "error", "description"]}
            classNames={{ input: "mono" }}
            value={draft.cron}
            error={errorAt("/cron")}
            onChange={(event) => onChange({ cron: event.currentTarget.value })}
          />
          <Select label="Time zone" searchable allowDeselect={false} data={zones(draft.timezone)} value={draft.timezone} error={errorAt("/timezone")} onChange={(value) => onChange({ timezone: value ?? "UTC" })} />
        </Group>
      )}
      <NumberInput
        label="Jitter, in seconds"
        description="Each job starts up to so much later, so that not all start at once"
        inputWrapperOrder={["label", "input", "error", "description"]}
        min={0}
        max={86_400}
        allowDecimal={false}
        allowNegative={false}
        value={draft.jitter}
        error={errorAt("/jitter_seconds")}
        onChange={(jitter) => onChange({ jitter })}
      />
    </>
  );
}

/** Every time zone that the browser knows, the chosen one and UTC among them. */
function zones(chosen: string): string[] {
  return [...new Set(["UTC", chosen, ...Intl.supportedValuesOf("timeZone")])];
}
