// What of a training has a default: the fields of the form's second part. A pointer is both where a value goes in the
// request and where the server says what is wrong with it.

export type Group = "run" | "learning" | "pictures";

interface Option<Field extends string> {
  field: Field;
  group: Group;
  label: string;
  pointer: string;
  /** What holds when nothing is chosen. */
  fallback: string;
}

export type NumberField =
  | "epochs" | "batchSize" | "imageSize" | "embeddingDim" | "patience" | "leastPictures" | "checkpointMinutes" | "seed"
  | "learningRate" | "momentum" | "weightDecay" | "warmupEpochs" | "labelSmoothing" | "gradientClip" | "emaDecay"
  | "resizedCrop" | "colorJitter" | "randAugment" | "mixup";

export interface NumberOption extends Option<NumberField> {
  max: number;
  step?: number;
}

export const NUMBERS: NumberOption[] = [
  { field: "epochs", group: "run", label: "Epochs", pointer: "/epochs", fallback: "15 from a model, 30 without", max: 1_000 },
  { field: "batchSize", group: "run", label: "Batch size", pointer: "/batch_size", fallback: "64", max: 1_024 },
  { field: "imageSize", group: "run", label: "Picture side, pixels", pointer: "/image_size", fallback: "as fits the pictures", max: 512 },
  { field: "embeddingDim", group: "run", label: "Length of embeddings", pointer: "/embedding_dim", fallback: "the network's own", max: 4_096 },
  { field: "patience", group: "run", label: "Stop after epochs without gain", pointer: "/early_stopping/patience", fallback: "never", max: 1_000 },
  { field: "leastPictures", group: "run", label: "Least pictures per class", pointer: "/min_images_per_class", fallback: "100", max: 1_000_000 },
  { field: "checkpointMinutes", group: "run", label: "Minutes between checkpoints", pointer: "/checkpoint_minutes", fallback: "2", max: 1_440, step: 0.5 },
  { field: "seed", group: "run", label: "Seed", pointer: "/seed", fallback: "1", max: Number.MAX_SAFE_INTEGER },
  { field: "learningRate", group: "learning", label: "Learning rate", pointer: "/learning_rate", fallback: "by optimiser", max: 10, step: 0.001 },
  { field: "momentum", group: "learning", label: "Momentum", pointer: "/momentum", fallback: "0.9", max: 0.999, step: 0.01 },
  { field: "weightDecay", group: "learning", label: "Weight decay", pointer: "/weight_decay", fallback: "0.0005", max: 1, step: 0.0001 },
  { field: "warmupEpochs", group: "learning", label: "Warm-up, epochs", pointer: "/warmup_epochs", fallback: "1", max: 100, step: 0.5 },
  { field: "labelSmoothing", group: "learning", label: "Label smoothing", pointer: "/label_smoothing", fallback: "0.1", max: 0.9, step: 0.05 },
  { field: "gradientClip", group: "learning", label: "Longest gradient", pointer: "/gradient_clip", fallback: "any", max: 1_000_000, step: 0.5 },
  { field: "emaDecay", group: "learning", label: "Mean of weights, share of old", pointer: "/ema_decay", fallback: "0.99", max: 0.99999, step: 0.001 },
  { field: "resizedCrop", group: "pictures", label: "Smallest crop, share", pointer: "/augment/resized_crop", fallback: "0.3", max: 1, step: 0.05 },
  { field: "colorJitter", group: "pictures", label: "Colour jitter", pointer: "/augment/color_jitter", fallback: "0.2", max: 1, step: 0.1 },
  { field: "randAugment", group: "pictures", label: "RandAugment magnitude", pointer: "/augment/rand_augment", fallback: "none", max: 30 },
  { field: "mixup", group: "pictures", label: "Mixup", pointer: "/augment/mixup", fallback: "0.2", max: 2, step: 0.1 },
];

export type ChoiceField = "optimizer" | "schedule" | "freeze" | "precision" | "bestBy";

export interface ChoiceOption extends Option<ChoiceField> {
  data: { value: string; label: string }[];
}

const same = (...values: string[]) => values.map((value) => ({ value, label: value }));

export const CHOICES: ChoiceOption[] = [
  {
    field: "bestBy", group: "run", label: "Best epoch by", pointer: "/best_by", fallback: "accuracy",
    data: [{ value: "accuracy", label: "Accuracy" }, { value: "precision_at_10", label: "P@10" }, { value: "map", label: "mAP" }],
  },
  {
    field: "optimizer", group: "learning", label: "Optimiser", pointer: "/optimizer", fallback: "as fits the start",
    data: [{ value: "sgd", label: "SGD with momentum" }, { value: "adamw", label: "AdamW" }],
  },
  { field: "schedule", group: "learning", label: "Schedule", pointer: "/schedule", fallback: "cosine", data: same("cosine", "step", "constant") },
  {
    field: "freeze", group: "learning", label: "Held fixed", pointer: "/freeze", fallback: "nothing",
    data: [
      { value: "none", label: "Nothing" }, { value: "backbone", label: "All but the classifier" }, { value: "norm", label: "Batch norm statistics" },
      { value: "gradual", label: "Less with every epoch" },
    ],
  },
  { field: "precision", group: "learning", label: "Arithmetic", pointer: "/precision", fallback: "as fits the device", data: same("f32", "bf16") },
];

export type SwitchField = "crop" | "resized" | "mirror" | "colorPca";

export interface Switch {
  field: SwitchField;
  label: string;
  pointer: string;
  /** What is sent when it is turned off. */
  off: false | null;
}

export const SWITCHES: Switch[] = [
  { field: "crop", label: "Random crops", pointer: "/augment/crop", off: false },
  // Without, crops are of full size; the number at the same place does not hold then.
  { field: "resized", label: "Crops of random size", pointer: "/augment/resized_crop", off: null },
  { field: "mirror", label: "Mirroring", pointer: "/augment/mirror", off: false },
  { field: "colorPca", label: "Colour noise", pointer: "/augment/color_pca", off: false },
];
