import { Button, Center, Stack } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { IconChartDots } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";
import { EvaluateModal } from "~/features/indexes/EvaluateModal";
import { useMay } from "~/features/session/useMay";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { Mono } from "~/ui/Copy";
import { Panel } from "~/ui/Panel";
import { EvaluationTable } from "./EvaluationTable";
import { indexEvaluations } from "./queries";

const CoursePanel = lazy(() => import("./CoursePanel").then((module) => ({ default: module.CoursePanel })));

/** How well an index answers, measured again and again. */
export function Evaluations({ index }: { index: string }) {
  const [asked, setAsked] = useState(false);
  const submit = useMay("submit");
  const query = useInfiniteQuery(indexEvaluations(index));
  const evaluations = query.data?.pages.flatMap((page) => page.items) ?? [];
  const measure = (text: string) => <Button size="xs" variant="default" disabled={!submit} onClick={() => setAsked(true)}>{text}</Button>;
  return (
    <Stack gap="md">
      {evaluations.length > 1 && <Suspense fallback={<Panel title="Over time"><Loading rows={5} /></Panel>}><CoursePanel evaluations={evaluations} /></Suspense>}
      <Panel title="Evaluations" hint={evaluations.length > 0 ? "newest first" : undefined} actions={evaluations.length > 0 && measure("Measure again")}>
        {query.isPending && <Loading rows={5} />}
        {query.isError && query.data === undefined && <Failure error={query.error} onRetry={() => void query.refetch()} />}
        {query.isSuccess && evaluations.length === 0 && (
          <Empty icon={<IconChartDots size={22} />} title="Not measured yet" action={measure("Measure it")}>
            <div>Labelled pictures are searched with, and right hits are counted.</div>
            <div>From a shell: <Mono value={`lookalike evaluate ${index} --source NAME --prefix val/`} label="Copy the command" whole /></div>
          </Empty>
        )}
        {evaluations.length > 0 && <EvaluationTable index={index} evaluations={evaluations} />}
        {query.hasNextPage && (
          <Center mt="md"><Button variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>Load more</Button></Center>
        )}
      </Panel>
      {asked && <EvaluateModal opened index={index} onClose={() => setAsked(false)} />}
    </Stack>
  );
}
