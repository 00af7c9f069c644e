// The training form as it is filled in, and the request it becomes. What is left empty is left out, so that
// the server's defaults hold.
import type { TrainRequest } from "~/api/types";

type Number = number | "";

export interface TrainForm {
  model: string;
  dataset: { source: string; prefix: string };
  held: "share" | "set";
  share: Number;
  validation: { source: string; prefix: string };
  pretrained: string | null;
  backbone: string | null;
  epochs: Number;
  batchSize: Number;
  imageSize: Number;
  learningRate: Number;
  optimizer: "sgd" | "adamw";
  schedule: NonNullable<TrainRequest["schedule"]>;
  freeze: "none" | "backbone" | "norm" | null;
  patience: Number;
  leastPictures: Number;
}

export const EMPTY_FORM: TrainForm = {
  model: "", dataset: { source: "", prefix: "" }, held: "share", share: "", validation: { source: "", prefix: "" },
  pretrained: null, backbone: null, epochs: "", batchSize: "", imageSize: "", learningRate: "", optimizer: "sgd",
  schedule: "cosine", freeze: null, patience: "", leastPictures: "",
};

/** The request, or null while a required field is empty. */
export function trainRequest(form: TrainForm): TrainRequest | null {
  if (form.model === "" || form.dataset.source === "") return null;
  if (form.held === "set" && form.validation.source === "") return null;
  const validation = form.held === "set" ? folder(form.validation) : form.share === "" ? undefined : { fraction: form.share / 100 };
  return {
    model: form.model,
    dataset: folder(form.dataset),
    optimizer: form.optimizer,
    schedule: form.schedule,
    ...(validation && { validation }),
    ...(form.pretrained !== null && { pretrained: form.pretrained }),
    ...(form.backbone !== null && { backbone: form.backbone }),
    ...(form.epochs !== "" && { epochs: form.epochs }),
    ...(form.batchSize !== "" && { batch_size: form.batchSize }),
    ...(form.imageSize !== "" && { image_size: form.imageSize }),
    ...(form.learningRate !== "" && { learning_rate: form.learningRate }),
    ...(form.freeze !== null && { freeze: form.freeze }),
    ...(form.patience !== "" && { early_stopping: { patience: form.patience } }),
    ...(form.leastPictures !== "" && { min_images_per_class: form.leastPictures }),
  };
}

/** A folder with the slash at its end that a prefix needs, since `val` would also take `validation/`. */
export function folder({ source, prefix }: { source: string; prefix: string }): { source: string; prefix: string } {
  const trimmed = prefix.trim();
  return { source, prefix: trimmed === "" || trimmed.endsWith("/") ? trimmed : `${trimmed}/` };
}
