import { Select, Switch, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { SubmitModal } from "~/features/jobs/SubmitModal";
import { modelList, modelVersions } from "~/features/models/queries";

/** Asks for an index to be built anew with another model, beside the one that answers meanwhile. */
export function RebuildModal({ opened, index, onClose }: { opened: boolean; index: string; onClose: () => void }) {
  const models = useQuery(modelList);
  const [name, setName] = useState<string | null>(null);
  const [version, setVersion] = useState<string | null>(null);
  const [activate, setActivate] = useState(true);
  const versions = useQuery({ ...modelVersions(name ?? ""), enabled: name !== null });
  const model = name === null ? null : version === null ? name : `${name}@${version}`;
  return (
    <SubmitModal
      opened={opened}
      title={`Rebuild ${index}`}
      action="Start the rebuild"
      submission={model === null ? null : { kind: "rebuild", body: { index, model, activate } }}
      onClose={onClose}
    >
      {(errorAt) => (
        <>
          <Text size="sm" c="dimmed">
            Its pictures are read again into a new generation. Searches use the present one until the new one is complete.
          </Text>
          <Select
            label="Model"
            data={models.data?.map((each) => each.name) ?? []}
            value={name}
            error={errorAt("/model")}
            onChange={(value) => {
              setName(value);
              setVersion(null);
            }}
          />
          <Select
            label="Version"
            placeholder="the default one"
            clearable
            disabled={name === null}
            data={versions.data?.map((each) => String(each.version)) ?? []}
            value={version}
            onChange={setVersion}
          />
          <Switch
            label="Swap as soon as it is complete"
            description="Otherwise it stays ready beside the present one: measure both, then activate it or drop it"
            checked={activate}
            onChange={(event) => setActivate(event.currentTarget.checked)}
          />
        </>
      )}
    </SubmitModal>
  );
}
