import { Text } from "@mantine/core";
import { useState } from "react";
import type { Submission } from "~/features/jobs/queries";
import { SubmitModal } from "~/features/jobs/SubmitModal";
import { folder } from "~/features/models/trainRequest";
import { type Place, PlaceInput } from "~/features/sources/PlaceInput";
import type { Setup } from "./evaluations";

interface Props {
  opened: boolean;
  index: string;
  /** Its generations that are measured, each by a job of its own; the active one when left out. */
  generations?: number[];
  /** How another one was measured, which this offers again. */
  like?: Setup | undefined;
  /** What follows; the page of the job when left out. */
  onDone?: () => void;
  onClose: () => void;
}

/** Asks for an index, or some of its generations, to be measured with labelled pictures. */
export function EvaluateModal({ opened, index, generations = [], like, onDone, onClose }: Props) {
  const [place, setPlace] = useState<Place>({ source: like?.source ?? "", prefix: like?.prefix ?? "" });
  const body = { index, ...folder(place), ...(like !== undefined && { probes: like.probes, ...(like.k.length > 0 && { k: like.k }) }) };
  const submissions: Submission[] = generations.map((generation) => ({ kind: "evaluate", body: { ...body, generation } }));
  return (
    <SubmitModal
      opened={opened}
      title={`Measure ${titled(index, generations)}`}
      action="Start measuring"
      submission={place.source === "" ? null : submissions.length > 0 ? submissions : { kind: "evaluate", body }}
      onDone={onDone}
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

function titled(index: string, generations: number[]): string {
  if (generations.length === 0) return index;
  return `generation${generations.length > 1 ? "s" : ""} ${generations.join(" and ")} of ${index}`;
}
