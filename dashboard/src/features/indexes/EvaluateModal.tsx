import { Text } from "@mantine/core";
import { useState } from "react";
import { SubmitModal } from "~/features/jobs/SubmitModal";
import { folder } from "~/features/models/trainRequest";
import { type Place, PlaceInput } from "~/features/sources/PlaceInput";

interface Props {
  opened: boolean;
  index: string;
  /** One of its generations; the active one when left out. */
  generation?: number;
  onClose: () => void;
}

/** Asks for an index, or one of its generations, to be measured with labelled pictures. */
export function EvaluateModal({ opened, index, generation, onClose }: Props) {
  const [place, setPlace] = useState<Place>({ source: "", prefix: "" });
  return (
    <SubmitModal
      opened={opened}
      title={generation === undefined ? `Measure ${index}` : `Measure generation ${generation} of ${index}`}
      action="Start measuring"
      submission={place.source === "" ? null : { kind: "evaluate", body: { index, ...folder(place), ...(generation !== undefined && { generation }) } }}
      onClose={onClose}
    >
      {(errorAt) => (
        <>
          <Text size="sm" c="dimmed">
            Every picture below the folder is searched with; a hit is right when it has the class that the folder is named after.
          </Text>
          <PlaceInput label="Labelled pictures" hint="It holds one folder per class" value={place} error={errorAt("/source", "/prefix")} onChange={setPlace} />
        </>
      )}
    </SubmitModal>
  );
}
