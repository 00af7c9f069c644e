import { SegmentedControl } from "@mantine/core";
import { useState } from "react";
import { Json } from "~/ui/Json";
import { Panel } from "~/ui/Panel";
import { Readable } from "~/ui/Readable";

interface Props {
  title: string;
  value: unknown;
}

/** Free-form JSON as names and values, or as it is. */
export function ParamsPanel({ title, value }: Props) {
  const [view, setView] = useState("readable");
  return (
    <Panel
      title={title}
      actions={
        <SegmentedControl
          size="xs"
          aria-label={`${title} as`}
          data={[{ value: "readable", label: "Readable" }, { value: "json", label: "JSON" }]}
          value={view}
          onChange={setView}
        />
      }
    >
      {view === "json" ? <Json value={value} label={title} /> : <Readable value={value} />}
    </Panel>
  );
}
