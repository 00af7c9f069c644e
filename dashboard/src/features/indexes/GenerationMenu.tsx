import { ActionIcon, Menu } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconArrowsExchange, IconChartDots, IconDots, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import type { StoredGeneration } from "~/api/types";
import { useMay } from "~/features/session/useMay";
import { counted } from "~/format/number";
import { Confirm } from "~/ui/Confirm";
import { EvaluateModal } from "./EvaluateModal";
import { type GenerationAction, useGenerationAction } from "./queries";

const WORDS: Record<GenerationAction, { ask: string; action: string; done: string }> = {
  activate: { ask: "Activate", action: "Activate it", done: "Searches use this generation now." },
  drop: { ask: "Drop", action: "Drop it", done: "The generation was dropped." },
};

/** What can be done with one build of an index; what changes something asks first. */
export function GenerationMenu({ index, generation }: { index: string; generation: StoredGeneration }) {
  const [asked, setAsked] = useState<GenerationAction | null>(null);
  const [measuring, setMeasuring] = useState(false);
  const act = useGenerationAction(index);
  const manage = useMay("manage");
  const submit = useMay("submit");
  const { id, state } = generation;
  const waits = state === "ready" || state === "retired";

  function run(action: GenerationAction) {
    act.mutate({ action, id }, {
      onSuccess: () => notifications.show({ color: "teal", message: WORDS[action].done }),
      onError: (error) => notifications.show({ color: "red", title: `Could not ${action} generation ${id}`, message: error.message }),
      onSettled: () => setAsked(null),
    });
  }

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
      {measuring && <EvaluateModal opened index={index} generation={id} onClose={() => setMeasuring(false)} />}
      <Confirm
        opened={asked !== null}
        title={asked === null ? "" : `${WORDS[asked].ask} generation ${id}?`}
        action={asked === null ? "" : WORDS[asked].action}
        danger={asked === "drop"}
        busy={act.isPending}
        onConfirm={() => asked !== null && run(asked)}
        onClose={() => setAsked(null)}
      >
        {asked === "activate" && `Searches use its ${counted(generation.entries, "picture")} with ${generation.model} at once; the present generation retires. What the index keeps no longer is dropped.`}
        {asked === "drop" && "Its vectors go and the room is free again; going back to it means another rebuild."}
      </Confirm>
    </>
  );
}
