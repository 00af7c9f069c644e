import { Button, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconDownload } from "@tabler/icons-react";
import { useHitsAsCsv } from "./queries";

/** Saves the hits as a CSV file, for a spreadsheet. */
export function DownloadCsv({ job }: { job: string }) {
  const save = useHitsAsCsv(job);
  return (
    <Tooltip label="Download the hits as CSV">
      <Button
        size="xs"
        variant="default"
        leftSection={<IconDownload size={15} />}
        loading={save.isPending}
        onClick={() => save.mutate(undefined, { onError: ({ message }) => notifications.show({ color: "red", title: "Could not download the hits", message }) })}
      >
        CSV
      </Button>
    </Tooltip>
  );
}
