// The training form as it is filled in, and the request it becomes. What is left empty is left out, so that
// the server's defaults hold.
import type { TrainRequest, ValidateRequest } from "~/api/types";
import { type ChoiceField, CHOICES, type NumberField, NUMBERS, type SwitchField, SWITCHES } from "./trainFields";

type Number = number | "";

export interface TrainForm {
  model: string;
  dataset: { source: string; prefix: string };
  held: "share" | "set";
  share: Number;
  validation: { source: string; prefix: string };
  pretrained: string | null;
  backbone: string | null;
  /** Fields that have a default; one that is not here was left empty. */
  numbers: Partial<Record<NumberField, Number>>;
  choices: Partial<Record<ChoiceField, string | null>>;
  /** Changes of the pictures that were turned off. */
  off: SwitchField[];
}

export const EMPTY_FORM: TrainForm = {
  model: "", dataset: { source: "", prefix: "" }, held: "share", share: "", validation: { source: "", prefix: "" }, pretrained: null, backbone: null,
  numbers: {}, choices: {}, off: [],
};

/** The request, or null while a required field is empty. */
export function trainRequest(form: TrainForm): TrainRequest | null {
  if (form.model === "" || form.dataset.source === "") return null;
  if (form.held === "set" && form.validation.source === "") return null;
  const validation = form.held === "set" ? folder(form.validation) : form.share === "" ? undefined : { fraction: form.share / 100 };
  const request: Record<string, unknown> = {
    ...(validation && { validation }),
    ...(form.pretrained !== null && { pretrained: form.pretrained }),
    ...(form.backbone !== null && { backbone: form.backbone }),
  };
  for (const { field, pointer } of NUMBERS) {
    const value = form.numbers[field] ?? "";
    if (value !== "") put(request, pointer, value);
  }
  for (const { field, pointer } of CHOICES) {
    const value = form.choices[field] ?? null;
    if (value !== null) put(request, pointer, value);
  }
  for (const { field, pointer, off } of SWITCHES) if (form.off.includes(field)) put(request, pointer, off);
  return { ...request, model: form.model, dataset: folder(form.dataset) };
}

/** What is asked of the check of the pictures, so that it tells what this very training would do. */
export function checkRequest(form: TrainForm, backbone: string | null): { source: string; body: ValidateRequest } {
  const { source, prefix } = folder(form.dataset);
  const least = form.numbers.leastPictures ?? "";
  return {
    source,
    body: {
      prefix,
      ...(form.held === "set" && form.validation.source !== "" && { validation: folder(form.validation) }),
      ...(least !== "" && { min_images_per_class: least }),
      ...(backbone !== null && { backbone }),
    },
  };
}

/** Sets what a JSON Pointer of one or two parts points to. */
function put(request: Record<string, unknown>, pointer: string, value: unknown): void {
  const [, first = "", second] = pointer.split("/");
  if (second === undefined) request[first] = value;
  else request[first] = { ...(request[first] as object | undefined), [second]: value };
}

/** A folder with the slash at its end that a prefix needs, since `val` would also take `validation/`. */
export function folder({ source, prefix }: { source: string; prefix: string }): { source: string; prefix: string } {
  const trimmed = prefix.trim();
  return { source, prefix: trimmed === "" || trimmed.endsWith("/") ? trimmed : `${trimmed}/` };
}
