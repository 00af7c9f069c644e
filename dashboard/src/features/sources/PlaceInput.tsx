import { Group, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { sourceList } from "./queries";

/** A folder of a source. */
export interface Place {
  source: string;
  prefix: string;
}

interface Props {
  label: string;
  hint?: ReactNode;
  value: Place;
  error?: string | undefined;
  onChange: (place: Place) => void;
}

/** Chooses a source and names a folder in it. */
export function PlaceInput({ label, hint, value, error, onChange }: Props) {
  const sources = useQuery(sourceList);
  return (
    <div>
      <Group gap="xs" align="flex-start" wrap="nowrap">
        <Select
          label={label}
          w={170}
          placeholder="Source"
          allowDeselect={false}
          data={sources.data?.map(({ name }) => name) ?? []}
          value={value.source === "" ? null : value.source}
          onChange={(source) => onChange({ ...value, source: source ?? "" })}
        />
        <TextInput
          flex={1}
          label="Folder"
          placeholder="all of it"
          value={value.prefix}
          error={error}
          description={hint}
          inputWrapperOrder={["label", "input", "error", "description"]}
          onChange={(event) => onChange({ ...value, prefix: event.currentTarget.value })}
        />
      </Group>
    </div>
  );
}
