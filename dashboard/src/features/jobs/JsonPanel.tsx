import { Group, SegmentedControl } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { Json } from "~/ui/Json";
import { Panel } from "~/ui/Panel";
import { Readable } from "~/ui/Readable";

const VIEWS = [{ value: "readable", label: "Readable" }, { value: "json", label: "JSON" }];

interface Props {
  title: string;
  hint?: string;
  value: unknown;
  actions?: ReactNode;
  /** The value as people read it; names and values when left out. */
  children?: ReactNode;
}

/** Free-form JSON for people, or as it is. */
export function JsonPanel({ title, hint, value, actions, children }: Props) {
  const [view, setView] = useState("readable");
  return (
    <Panel
      title={title}
      hint={hint}
      actions={
        <Group gap="xs">
          {actions}
          <SegmentedControl size="xs" aria-label={`${title} as`} data={VIEWS} value={view} onChange={setView} />
        </Group>
      }
    >
      {view === "json" ? <Json value={value} label={title} /> : (children ?? <Readable value={value} />)}
    </Panel>
  );
}
