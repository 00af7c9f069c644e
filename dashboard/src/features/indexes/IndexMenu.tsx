import { ActionIcon, Menu } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useNavigate } from "@tanstack/react-router";
import { IconArrowBackUp, IconChartDots, IconDatabasePlus, IconDots, IconEraser, IconRefreshDot, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import type { IndexDetail } from "~/api/types";
import { useMay } from "~/features/session/useMay";
import { counted } from "~/format/number";
import { Confirm } from "~/ui/Confirm";
import { EvaluateModal } from "./EvaluateModal";
import { FillModal } from "./FillModal";
import { RebuildModal } from "./RebuildModal";
import { type IndexAction, useIndexAction } from "./queries";

const WORDS: Record<IndexAction, { ask: string; action: string; done: string }> = {
  clear: { ask: "Clear", action: "Clear the index", done: "The index is empty." },
  rollback: { ask: "Roll back", action: "Roll back", done: "The previous generation is active again." },
  delete: { ask: "Delete", action: "Delete the index", done: "The index was deleted." },
};

/** What can be done with a whole index; each asks first. */
export function IndexMenu({ index }: { index: IndexDetail }) {
  const [asked, setAsked] = useState<IndexAction | null>(null);
  const [form, setForm] = useState<"fill" | "rebuild" | "evaluate" | null>(null);
  const act = useIndexAction(index.name);
  const navigate = useNavigate();
  const manage = useMay("manage");
  const submit = useMay("submit");
  const retired = index.generations.some(({ state }) => state === "retired");

  function run(action: IndexAction) {
    act.mutate(action, {
      onSuccess: () => {
        notifications.show({ color: "teal", message: WORDS[action].done });
        if (action === "delete") void navigate({ to: "/indexes" });
      },
      onError: (error) => notifications.show({ color: "red", title: `Could not ${WORDS[action].ask.toLowerCase()} ${index.name}`, message: error.message }),
      onSettled: () => setAsked(null),
    });
  }

  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size={36} aria-label="More actions"><IconDots size={18} /></ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconDatabasePlus size={16} />} disabled={!submit} onClick={() => setForm("fill")}>Fill from a source</Menu.Item>
          <Menu.Item leftSection={<IconRefreshDot size={16} />} disabled={!submit} onClick={() => setForm("rebuild")}>Rebuild with another model</Menu.Item>
          <Menu.Item leftSection={<IconChartDots size={16} />} disabled={!submit} onClick={() => setForm("evaluate")}>Measure with labelled pictures</Menu.Item>
          <Menu.Divider />
          <Menu.Item leftSection={<IconArrowBackUp size={16} />} disabled={!retired || !manage} onClick={() => setAsked("rollback")}>Roll back to the previous generation</Menu.Item>
          <Menu.Item leftSection={<IconEraser size={16} />} disabled={!manage} onClick={() => setAsked("clear")}>Clear</Menu.Item>
          <Menu.Item color="red" leftSection={<IconTrash size={16} />} disabled={!manage} onClick={() => setAsked("delete")}>Delete</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {form === "fill" && <FillModal opened index={index.name} onClose={() => setForm(null)} />}
      {form === "rebuild" && <RebuildModal opened index={index.name} onClose={() => setForm(null)} />}
      {form === "evaluate" && <EvaluateModal opened index={index.name} onClose={() => setForm(null)} />}
      <Confirm
        opened={asked !== null}
        title={asked === null ? "" : `${WORDS[asked].ask} ${index.name}?`}
        action={asked === null ? "" : WORDS[asked].action}
        danger={asked !== "rollback"}
        busy={act.isPending}
        onConfirm={() => asked !== null && run(asked)}
        onClose={() => setAsked(null)}
      >
        {asked === "rollback" && "Searches use the generation before this one again, with the model it was made with."}
        {asked === "clear" && `Its ${counted(index.entries, "picture")} leave the index; the files in the source stay.`}
        {asked === "delete" && `The index goes with its ${counted(index.entries, "picture")}; the files in the source stay.`}
      </Confirm>
    </>
  );
}
