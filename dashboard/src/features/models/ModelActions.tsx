import { Alert, Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useNavigate } from "@tanstack/react-router";
import { IconAlertTriangle, IconArrowBackUp, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import type { ModelVersion } from "~/api/types";
import { useMay } from "~/features/session/useMay";
import { Confirm } from "~/ui/Confirm";
import { useDeleteVersion, useRollBack, useSetDefault } from "./queries";

/** What can be done with one version of a model; `last` when it is the only one. */
export function ModelActions({ model, last }: { model: ModelVersion; last: boolean }) {
  const { name, version, reference } = model;
  const [asking, setAsking] = useState(false);
  const setDefault = useSetDefault(name);
  const rollBack = useRollBack(name);
  const remove = useDeleteVersion(name, last);
  const manage = useMay("manage");
  const navigate = useNavigate();
  const refused = (title: string) => (error: Error) => notifications.show({ color: "red", title, message: error.message });
  const told = (now: ModelVersion) => notifications.show({ color: "teal", message: `${name} alone now means ${now.reference}.` });

  function deleteIt() {
    remove.mutate(version, {
      onSuccess: () => {
        setAsking(false);
        notifications.show({ color: "teal", message: `${reference} was deleted.` });
        void (last ? navigate({ to: "/models" }) : navigate({ to: "/models/$name", params: { name }, search: {} }));
      },
    });
  }

  function close() {
    remove.reset();
    setAsking(false);
  }

  return (
    <>
      {model.is_default ? (
        <Button
          variant="default"
          leftSection={<IconArrowBackUp size={16} />}
          disabled={!manage || last}
          loading={rollBack.isPending}
          onClick={() => rollBack.mutate(undefined, { onSuccess: told, onError: refused(`Could not roll ${name} back`) })}
        >
          Roll back
        </Button>
      ) : null}
      <Button
        variant="default"
        disabled={model.is_default || !manage}
        loading={setDefault.isPending}
        onClick={() => setDefault.mutate(version, { onSuccess: told, onError: refused(`Could not choose ${reference}`) })}
      >
        Make default
      </Button>
      <Button variant="light" color="red" leftSection={<IconTrash size={16} />} disabled={!manage} onClick={() => setAsking(true)}>Delete</Button>
      <Confirm opened={asking} title={`Delete ${reference}?`} action="Delete the version" busy={remove.isPending} onConfirm={deleteIt} onClose={close}>
        Its weights and its card go with it. A version that an index uses cannot be deleted.
        {remove.error !== null && <Alert mt="md" color="red" role="alert" icon={<IconAlertTriangle size={18} />}>{remove.error.message}</Alert>}
      </Confirm>
    </>
  );
}
