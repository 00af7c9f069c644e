import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation } from "@tanstack/react-query";
import { IconDownload } from "@tabler/icons-react";
import { send } from "~/api/client";
import { saveFile } from "~/ui/save";

/** Saves what the API has at `path` as the CSV file `name`. */
export function DownloadCsv({ path, name, label }: { path: string; name: string; label: string }) {
  const download = useMutation({
    mutationFn: async () => (await send(path, { headers: { Accept: "text/csv" } })).blob(),
    onSuccess: (file) => saveFile(file, name),
    onError: ({ message }) => notifications.show({ color: "red", title: "Could not download the file", message }),
  });
  return (
    <Button size="xs" variant="default" leftSection={<IconDownload size={15} />} loading={download.isPending} onClick={() => download.mutate()}>
      {label}
    </Button>
  );
}
