import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useNavigate } from "@tanstack/react-router";
import { IconRefresh } from "@tabler/icons-react";
import { useState } from "react";
import type { Job } from "~/api/types";
import { useMay } from "~/features/session/useMay";
import { DownloadCsv } from "./DownloadCsv";
import { failedItemsPath, useRetryItems } from "./items";
import classes from "./ItemsPanel.module.css";
import { isFinal } from "./states";

/** What can be done with the failed pictures that are shown: kept as a file, or indexed again. */
export function ItemActions({ job, codes }: { job: Job; codes: string[] }) {
  const submit = useMay("submit");
  const navigate = useNavigate();
  const retry = useRetryItems(job.id);
  // A second click is the same request; another choice of reasons is another one.
  const [{ key, of }, setKey] = useState<{ key: string; of: string }>(() => ({ key: crypto.randomUUID(), of: codes.join() }));

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
      <DownloadCsv path={failedItemsPath(job.id, codes)} name={`failed-pictures-${job.id}.csv`} label="Download CSV" />
      {job.kind === "index" && (
        <Button size="xs" leftSection={<IconRefresh size={15} />} disabled={!submit || !isFinal(job.state)} loading={retry.isPending} onClick={again}>
          Retry these
        </Button>
      )}
    </div>
  );
}
