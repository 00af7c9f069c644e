import { notifications } from "@mantine/notifications";
import type { StoredGeneration } from "~/api/types";
import { counted } from "~/format/number";
import { Confirm } from "~/ui/Confirm";
import { type GenerationAction, useGenerationAction } from "./queries";

const WORDS: Record<GenerationAction, { ask: string; action: string; done: string }> = {
  activate: { ask: "Activate", action: "Activate it", done: "Searches use this generation now." },
  drop: { ask: "Drop", action: "Drop it", done: "The generation was dropped." },
};

interface Props {
  index: string;
  generation: StoredGeneration;
  /** What is asked about; null asks nothing. */
  asked: GenerationAction | null;
  onClose: () => void;
}

/** Asks before a generation is activated or dropped, and does it. */
export function GenerationConfirm({ index, generation, asked, onClose }: Props) {
  const act = useGenerationAction(index);
  const { id, model, entries } = generation;

  function run(action: GenerationAction) {
    act.mutate({ action, id }, {
      onSuccess: () => notifications.show({ color: "teal", message: WORDS[action].done }),
      onError: (error) => notifications.show({ color: "red", title: `Could not ${action} generation ${id}`, message: error.message }),
      onSettled: onClose,
    });
  }

  return (
    <Confirm
      opened={asked !== null}
      title={asked === null ? "" : `${WORDS[asked].ask} generation ${id}?`}
      action={asked === null ? "" : WORDS[asked].action}
      danger={asked === "drop"}
      busy={act.isPending}
      onConfirm={() => asked !== null && run(asked)}
      onClose={onClose}
    >
      {asked === "activate" && `Searches use its ${counted(entries, "picture")} with ${model} at once; the present generation retires. What the index keeps no longer is dropped.`}
      {asked === "drop" && "Its vectors go and the room is free again; going back to it means another rebuild."}
    </Confirm>
  );
}
