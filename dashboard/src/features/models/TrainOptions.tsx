import { Checkbox, Group, NumberInput, Select, SimpleGrid, Stack, Text } from "@mantine/core";
import type { ErrorAt } from "~/features/jobs/SubmitModal";
import { type ChoiceOption, CHOICES, type Group as Part, type NumberOption, NUMBERS, SWITCHES } from "./trainFields";
import type { TrainForm } from "./trainRequest";

interface Props {
  form: TrainForm;
  errorAt: ErrorAt;
  onChange: (change: Partial<TrainForm>) => void;
}

const PARTS: { part: Part; label: string }[] = [
  { part: "run", label: "The run" },
  { part: "learning", label: "How it learns" },
  { part: "pictures", label: "How pictures are changed" },
];

/** What of a training has a default. */
export function TrainOptions(props: Props) {
  return (
    <Stack gap="lg">
      {PARTS.map(({ part, label }) => (
        <section key={part} aria-label={label}>
          <Text size="sm" fw={600} mb={6}>{label}</Text>
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
            {NUMBERS.filter(({ group }) => group === part).map((option) => <NumberField key={option.field} option={option} {...props} />)}
            {CHOICES.filter(({ group }) => group === part).map((option) => <Choice key={option.field} option={option} {...props} />)}
          </SimpleGrid>
          {part === "pictures" && <Switches {...props} />}
        </section>
      ))}
    </Stack>
  );
}

function NumberField({ option, form, errorAt, onChange }: Props & { option: NumberOption }) {
  const { field, label, pointer, fallback, max, step = 1 } = option;
  return (
    <NumberInput
      label={label}
      placeholder={fallback}
      min={0}
      max={max}
      step={step}
      disabled={SWITCHES.some((each) => each.pointer === pointer && form.off.includes(each.field))}
      value={form.numbers[field] ?? ""}
      error={errorAt(pointer)}
      onChange={(value) => onChange({ numbers: { ...form.numbers, [field]: typeof value === "number" ? value : "" } })}
    />
  );
}

function Choice({ option, form, errorAt, onChange }: Props & { option: ChoiceOption }) {
  const { field, label, pointer, fallback, data } = option;
  return (
    <Select
      label={label}
      placeholder={fallback}
      clearable
      data={data}
      value={form.choices[field] ?? null}
      error={errorAt(pointer)}
      onChange={(value) => onChange({ choices: { ...form.choices, [field]: value } })}
    />
  );
}

function Switches({ form, onChange }: Props) {
  return (
    <Group gap="lg" mt="sm">
      {SWITCHES.map(({ field, label }) => (
        <Checkbox
          key={field}
          label={label}
          checked={!form.off.includes(field)}
          onChange={(event) => onChange({ off: event.currentTarget.checked ? form.off.filter((each) => each !== field) : [...form.off, field] })}
        />
      ))}
    </Group>
  );
}
