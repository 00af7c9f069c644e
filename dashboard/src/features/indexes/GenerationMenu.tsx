import { ActionIcon, Menu } from "@mantine/core";
import { IconArrowsExchange, IconChartDots, IconDots, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import type { StoredGeneration } from "~/api/types";
import { useMay } from "~/features/session/useMay";
import { EvaluateModal } from "./EvaluateModal";
import { GenerationConfirm } from "./GenerationConfirm";
import type { GenerationAction } from "./queries";

/** What can be done with one build of an index; what changes something asks first. */
export function GenerationMenu({ index, generation }: { index: string; generation: StoredGeneration }) {
  const [asked, setAsked] = useState<GenerationAction | null>(null);
  const [measuring, setMeasuring] = useState(false);
  const manage = useMay("manage");
  const submit = useMay("submit");
  const { id, state } = generation;
  const waits = state === "ready" || state === "retired";
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`Actions of generation ${id}`}><IconDots size={16} /></ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconChartDots size={16} />} disabled={!submit || !(waits || state === "active")} onClick={() => setMeasuring(true)}>Measure</Menu.Item>
          <Menu.Item leftSection={<IconArrowsExchange size={16} />} disabled={!manage || !waits} onClick={() => setAsked("activate")}>Activate</Menu.Item>
          <Menu.Item color="red" leftSection={<IconTrash size={16} />} disabled={!manage || !waits} onClick={() => setAsked("drop")}>Drop</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {measuring && <EvaluateModal opened index={index} generations={[id]} onClose={() => setMeasuring(false)} />}
      <GenerationConfirm index={index} generation={generation} asked={asked} onClose={() => setAsked(null)} />
    </>
  );
}
