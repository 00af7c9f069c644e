import { ActionIcon, Tooltip } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { saveFile } from "./save";

/** Saves a value as a JSON file. */
export function DownloadJson({ value, name }: { value: unknown; name: string }) {
  function save() {
    saveFile(new Blob([JSON.stringify(value, null, 2)], { type: "application/json" }), `${name}.json`);
  }
  return (
    <Tooltip label="Download as JSON">
      <ActionIcon variant="default" size={30} aria-label="Download as JSON" onClick={save}><IconDownload size={15} /></ActionIcon>
    </Tooltip>
  );
}
