import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useNavigate } from "@tanstack/react-router";
import { IconDownload, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import type { ModelVersion } from "~/api/types";
import { useMay } from "~/features/session/useMay";
import { Confirm } from "~/ui/Confirm";
import { useDeleteVersion, useSetDefault } from "./queries";

/** What can be done with one version of a model; `last` when it is the only one. */
export function ModelActions({ model, last }: { model: ModelVersion; last: boolean }) {
  const { name, version, reference } = model;
  const [asking, setAsking] = useState(false);
  const setDefault = useSetDefault(name);
  const remove = useDeleteVersion(name, last);
  const manage = useMay("manage");
  const navigate = useNavigate();
  const refused = (what: string) => (error: Error) => notifications.show({ color: "red", title: `Could not ${what} ${reference}`, message: error.message });

  function makeDefault() {
    setDefault.mutate(version, {
      onSuccess: () => notifications.show({ color: "teal", message: `${name} alone now means ${reference}.` }),
      onError: refused("choose"),
    });
  }

  function deleteIt() {
    remove.mutate(version, {
      onSuccess: () => {
        notifications.show({ color: "teal", message: `${reference} was deleted.` });
        void (last ? navigate({ to: "/models" }) : navigate({ to: "/models/$name", params: { name }, search: {} }));
      },
      onError: refused("delete"),
      onSettled: () => setAsking(false),
    });
  }

  return (
    <>
      <Button variant="default" disabled={model.is_default || !manage} loading={setDefault.isPending} onClick={makeDefault}>Make default</Button>
      <Button component="a" href={`/v1/models/${name}/${version}/weights`} download variant="default" leftSection={<IconDownload size={16} />}>Weights</Button>
      <Button variant="light" color="red" leftSection={<IconTrash size={16} />} disabled={!manage} onClick={() => setAsking(true)}>Delete</Button>
      <Confirm opened={asking} title={`Delete ${reference}?`} action="Delete the version" busy={remove.isPending} onConfirm={deleteIt} onClose={() => setAsking(false)}>
        Its weights and its card go with it. A version that an index uses cannot be deleted.
      </Confirm>
    </>
  );
}
