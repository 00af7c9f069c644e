import { Autocomplete, SegmentedControl, Select, Switch, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { SubmitModal } from "~/features/jobs/SubmitModal";
import { modelList } from "~/features/models/queries";
import { folder } from "~/features/models/trainRequest";
import { type Place, PlaceInput } from "~/features/sources/PlaceInput";
import { indexList } from "./queries";

interface Props {
  opened: boolean;
  /** The index to fill; chosen or named in the form when left out. */
  index?: string;
  onClose: () => void;
}

/** Asks for pictures of a source to be put into an index, which is made when there is none of that name. */
export function FillModal({ opened, index, onClose }: Props) {
  const indexes = useQuery(indexList);
  const models = useQuery(modelList);
  const [name, setName] = useState(index ?? "");
  const [model, setModel] = useState<string | null>(null);
  const [place, setPlace] = useState<Place>({ source: "", prefix: "" });
  const [mode, setMode] = useState<"add" | "sync">("add");
  const [dry, setDry] = useState(false);
  const exists = indexes.data?.some((each) => each.name === name) ?? false;
  const complete = name !== "" && place.source !== "" && (exists || model !== null);
  const body = { index: name, mode, ...folder(place), ...(!exists && model !== null && { model }), ...(exists && dry && { dry_run: true }) };

  return (
    <SubmitModal
      opened={opened}
      title={index === undefined ? "Fill an index" : `Fill ${index}`}
      action={exists && dry ? "Start the dry run" : "Start indexing"}
      submission={complete ? { kind: "index", body } : null}
      onClose={onClose}
    >
      {(errorAt) => (
        <>
          {index === undefined && (
            <Autocomplete
              label="Index"
              description="A new name makes a new index"
              data-autofocus
              openOnFocus={false}
              data={indexes.data?.map((each) => each.name) ?? []}
              value={name}
              error={errorAt("/index")}
              onChange={setName}
            />
          )}
          {!exists && (
            <Select label="Model" placeholder="What reads its pictures" data={models.data?.map((each) => each.name) ?? []} value={model} error={errorAt("/model")} onChange={setModel} />
          )}
          <PlaceInput label="Pictures" hint="All below it are read" value={place} error={errorAt("/source", "/prefix")} onChange={setPlace} />
          <div>
            <Text size="sm" fw={500} mb={4} id="mode">Entries whose file is gone</Text>
            <SegmentedControl
              fullWidth
              aria-labelledby="mode"
              data={[{ value: "add", label: "Stay" }, { value: "sync", label: "Leave the index" }]}
              value={mode}
              onChange={(value) => setMode(value === "sync" ? "sync" : "add")}
            />
          </div>
          {exists && (
            <Switch
              label="Dry run"
              description="Only tells what would be added, updated and removed"
              checked={dry}
              error={errorAt("/dry_run")}
              onChange={(event) => setDry(event.currentTarget.checked)}
            />
          )}
        </>
      )}
    </SubmitModal>
  );
}
