// What the kinds of job are called, and the one line that tells a job from its neighbours.
import {
  IconBox, IconChartDots, IconChecklist, IconDatabasePlus, IconRefreshDot, IconSchool, IconSearch, IconZzz, type Icon,
} from "@tabler/icons-react";
import type { Job } from "~/api/types";
import { number, record, text } from "./read";

interface Kind {
  label: string;
  icon: Icon;
  color: string;
}

const KINDS: Record<string, Kind> = {
  train: { label: "Train", icon: IconSchool, color: "violet" },
  index: { label: "Index", icon: IconDatabasePlus, color: "brand" },
  search: { label: "Search", icon: IconSearch, color: "cyan" },
  evaluate: { label: "Evaluate", icon: IconChartDots, color: "grape" },
  rebuild: { label: "Rebuild", icon: IconRefreshDot, color: "indigo" },
  validate: { label: "Validate", icon: IconChecklist, color: "lime" },
  noop: { label: "No-op", icon: IconZzz, color: "gray" },
};

export const KIND_NAMES = Object.keys(KINDS);

export function kindOf(name: string): Kind {
  const known = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  return known ?? { label: name, icon: IconBox, color: "gray" };
}

/** What the job is about, e.g. the model it trains, and a second line with the rest. */
export function summaryOf(job: Pick<Job, "kind" | "params">): { title: string; detail: string } {
  const params = record(job.params);
  const from = place(params);
  switch (job.kind) {
    case "train":
      return { title: text(params.model) ?? "model", detail: join([text(params.backbone), place(record(params.dataset))]) };
    case "index":
      return { title: text(params.index) ?? "index", detail: join([from, text(params.mode), params.dry_run === true ? "dry run" : null, text(params.failed_of) === null ? null : "failed pictures only"]) };
    case "search":
      return { title: text(params.index) ?? "index", detail: join([queryOf(params), top(params)]) };
    case "evaluate":
      return { title: text(params.index) ?? "index", detail: join([from, generationOf(params)]) };
    case "rebuild":
      return { title: text(params.index) ?? "index", detail: join(["with", text(params.model)], " ") };
    case "validate":
      return { title: from === "" ? "dataset" : from, detail: "labelled pictures" };
    default:
      return { title: kindOf(job.kind).label, detail: "" };
  }
}

function generationOf(params: Record<string, unknown>): string | null {
  const generation = number(params.generation);
  return generation === null ? null : `generation ${generation}`;
}

function place(params: Record<string, unknown>): string {
  return [text(params.source), text(params.prefix)].filter((part) => part !== null && part !== "").join("/");
}

function queryOf(params: Record<string, unknown>): string {
  const query = record(params.query);
  switch (text(query.by)) {
    case "entry":
      return "by entry";
    case "object":
      return `by ${text(query.source) ?? ""}/${text(query.key) ?? ""}`;
    case "examples":
      return "by several pictures";
    default:
      return "by picture";
  }
}

function top(params: Record<string, unknown>): string | null {
  const k = number(params.k);
  return k === null ? null : `top ${k}`;
}

function join(parts: (string | null)[], by = " · "): string {
  return parts.filter((part) => part !== null && part !== "").join(by);
}
