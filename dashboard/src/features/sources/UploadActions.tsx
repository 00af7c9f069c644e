import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconTrash, IconUpload } from "@tabler/icons-react";
import { useState } from "react";
import { useMay } from "~/features/session/useMay";
import { Confirm } from "~/ui/Confirm";
import { useDeleteSet } from "./queries";
import { UploadModal } from "./UploadModal";

/** Uploading into the set that is open, or a new one; deleting the open one. */
export function UploadActions({ set, onPrefix }: { set: string; onPrefix: (prefix: string) => void }) {
  const [form, setForm] = useState<"upload" | "delete" | null>(null);
  const submit = useMay("submit");
  const remove = useDeleteSet();
  const close = () => setForm(null);

  function deleteIt() {
    remove.mutate(set, {
      onSuccess: () => onPrefix(""),
      onError: (error) => notifications.show({ color: "red", title: `Could not delete ${set}`, message: error.message }),
      onSettled: close,
    });
  }

  return (
    <>
      <Button size="xs" leftSection={<IconUpload size={15} />} disabled={!submit} onClick={() => setForm("upload")}>Upload</Button>
      {set !== "" && (
        <Tooltip label="Delete the set">
          <ActionIcon variant="light" color="red" size={30} aria-label={`Delete the set ${set}`} disabled={!submit} onClick={() => setForm("delete")}><IconTrash size={15} /></ActionIcon>
        </Tooltip>
      )}
      {form === "upload" && (
        <UploadModal
          set={set}
          onClose={close}
          onDone={(stored) => {
            close();
            onPrefix(`${stored}/`);
          }}
        />
      )}
      <Confirm opened={form === "delete"} title={`Delete the set ${set}?`} action="Delete the set" busy={remove.isPending} onConfirm={deleteIt} onClose={close}>
        All its files are deleted. Models that were trained on them and indexes that hold them stay.
      </Confirm>
    </>
  );
}
