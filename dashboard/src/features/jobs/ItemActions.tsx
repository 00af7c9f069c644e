import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { IconDownload, IconRefresh } from "@tabler/icons-react";
import { useState } from "react";
import type { Job } from "~/api/types";
import { useMay } from "~/features/session/useMay";
import { saveFile } from "~/ui/save";
import { failedItemsFile, useRetryItems } from "./items";
import classes from "./ItemsPanel.module.css";
import { isFinal } from "./states";

/** What can be done with the failed pictures that are shown: kept as a file, or indexed again. */
export function ItemActions({ job, codes }: { job: Job; codes: string[] }) {
  const submit = useMay("submit");
  const navigate = useNavigate();
  const retry = useRetryItems(job.id);
  // A second click is the same request; another choice of reasons is another one.
  const [{ key, of }, setKey] = useState<{ key: string; of: string }>(() => ({ key: crypto.randomUUID(), of: codes.join() }));
  const download = useMutation({
    mutationFn: () => failedItemsFile(job.id, codes),
    onSuccess: (file) => saveFile(file, `failed-pictures-${job.id}.csv`),
    onError: (error) => notifications.show({ color: "red", message: error.message }),
  });

  function again() {
    const sent = of === codes.join() ? key : crypto.randomUUID();
    setKey({ key: sent, of: codes.join() });
    retry.mutate({ codes, key: sent }, {
      onSuccess: (made) => void navigate({ to: "/jobs/$id", params: { id: made.id } }),
      onError: (error) => notifications.show({ color: "red", title: "Could not try these pictures again", message: error.message }),
    });
  }

  return (
    <div className={classes.actions}>
      <Button size="xs" variant="default" leftSection={<IconDownload size={15} />} loading={download.isPending} onClick={() => download.mutate()}>
        Download CSV
      </Button>
      {job.kind === "index" && (
        <Button size="xs" leftSection={<IconRefresh size={15} />} disabled={!submit || !isFinal(job.state)} loading={retry.isPending} onClick={again}>
          Retry these
        </Button>
      )}
    </div>
  );
}
