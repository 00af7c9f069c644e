import { ActionIcon, Tooltip } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";

/** Saves a value as a JSON file. */
export function DownloadJson({ value, name }: { value: unknown; name: string }) {
  function save() {
    const url = URL.createObjectURL(new Blob([JSON.stringify(value, null, 2)], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `${name}.json`;
    link.click();
    URL.revokeObjectURL(url);
  }
  return (
    <Tooltip label="Download as JSON">
      <ActionIcon variant="default" size={30} aria-label="Download as JSON" onClick={save}><IconDownload size={15} /></ActionIcon>
    </Tooltip>
  );
}
