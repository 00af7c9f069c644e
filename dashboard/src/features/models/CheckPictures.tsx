import { Alert, Button, Group, Paper, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconAlertTriangle, IconChecklist } from "@tabler/icons-react";
import { amount, isCounted } from "~/features/jobs/outcome";
import { jobById } from "~/features/jobs/queries";
import { validateResult } from "~/features/jobs/read";
import { isFinal } from "~/features/jobs/states";
import { Report } from "~/features/jobs/ValidatedPanel";
import { useValidate } from "~/features/sources/queries";
import { AnchorLink } from "~/ui/links";
import type { checkRequest } from "./trainRequest";

/** Looks at the pictures before anybody trains on them, and shows what was found. */
export function CheckPictures({ request }: { request: ReturnType<typeof checkRequest> }) {
  const validate = useValidate();
  return (
    <div>
      <Button
        size="xs"
        variant="default"
        leftSection={<IconChecklist size={15} />}
        disabled={request.source === ""}
        loading={validate.isPending}
        onClick={() => validate.mutate(request)}
      >
        Check the pictures
      </Button>
      {validate.error !== null && <Alert mt="sm" color="red" role="alert" icon={<IconAlertTriangle size={18} />}>{validate.error.message}</Alert>}
      {validate.data !== undefined && <Outcome id={validate.data.id} />}
    </div>
  );
}

/** The report once the job has ended; how far it is until then. */
function Outcome({ id }: { id: string }) {
  const { data: job } = useQuery({ ...jobById(id), refetchInterval: ({ state: { data } }) => (data !== undefined && isFinal(data.state) ? false : 1_000) });
  const report = job === undefined ? null : validateResult(job);
  const failed = job !== undefined && isFinal(job.state) && report === null;
  const progress = job === undefined || !isCounted(job.progress) ? "Waiting for a worker" : `${job.progress.phase}: ${amount(job.progress)}`;
  return (
    <Paper withBorder p="sm" mt="sm" role="status">
      {report !== null && <Report result={report} />}
      {failed && <Text size="sm" c="red">{job.error?.detail ?? "The check ended without a report."}</Text>}
      {report === null && !failed && <Text size="sm" c="dimmed">{progress}</Text>}
      <Group justify="flex-end" mt={6}><AnchorLink to="/jobs/$id" params={{ id }} size="xs">Open its job</AnchorLink></Group>
    </Paper>
  );
}
