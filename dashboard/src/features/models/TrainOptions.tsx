import { NumberInput, Select, SimpleGrid } from "@mantine/core";
import type { ErrorAt } from "~/features/jobs/SubmitModal";
import type { TrainForm } from "./trainRequest";

type NumberField = "epochs" | "batchSize" | "imageSize" | "learningRate" | "patience" | "leastPictures";

interface NumberOption {
  field: NumberField;
  label: string;
  pointer: string;
  fallback: string;
  max: number;
  step?: number;
}

const NUMBERS: NumberOption[] = [
  { field: "epochs", label: "Epochs", pointer: "/epochs", fallback: "30", max: 1_000 },
  { field: "batchSize", label: "Batch size", pointer: "/batch_size", fallback: "64", max: 1_024 },
  { field: "imageSize", label: "Picture side, pixels", pointer: "/image_size", fallback: "224", max: 512 },
  { field: "learningRate", label: "Learning rate", pointer: "/learning_rate", fallback: "by optimiser", max: 10, step: 0.001 },
  { field: "patience", label: "Stop after epochs without gain", pointer: "/early_stopping/patience", fallback: "never", max: 1_000 },
  { field: "leastPictures", label: "Least pictures per class", pointer: "/min_images_per_class", fallback: "100", max: 1_000_000 },
];

interface Props {
  form: TrainForm;
  errorAt: ErrorAt;
  onChange: (change: Partial<TrainForm>) => void;
}

/** What of a training has a default. */
export function TrainOptions({ form, errorAt, onChange }: Props) {
  return (
    <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
      {NUMBERS.map(({ field, label, pointer, fallback, max, step = 1 }) => (
        <NumberInput
          key={field}
          label={label}
          placeholder={fallback}
          min={0}
          max={max}
          step={step}
          value={form[field]}
          error={errorAt(pointer)}
          onChange={(value) => onChange({ [field]: typeof value === "number" ? value : "" })}
        />
      ))}
      <Select
        label="Optimiser"
        allowDeselect={false}
        data={[{ value: "sgd", label: "SGD with momentum" }, { value: "adamw", label: "AdamW" }]}
        value={form.optimizer}
        onChange={(value) => onChange({ optimizer: value === "adamw" ? "adamw" : "sgd" })}
      />
      <Select
        label="Schedule"
        allowDeselect={false}
        data={["cosine", "step", "constant"]}
        value={form.schedule}
        onChange={(value) => onChange({ schedule: value ?? "cosine" })}
      />
      <Select
        label="Held fixed"
        placeholder="as fits the start"
        clearable
        data={[{ value: "none", label: "Nothing" }, { value: "backbone", label: "All but the classifier" }, { value: "norm", label: "Batch norm statistics" }]}
        value={form.freeze}
        onChange={(value) => onChange({ freeze: value })}
      />
    </SimpleGrid>
  );
}
