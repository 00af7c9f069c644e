import { Group, Stack, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { IconArrowLeft, IconChartDots } from "@tabler/icons-react";
import { useEffect } from "react";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { AnchorLink, ButtonLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";
import { EvaluationReport } from "./EvaluationReport";
import { indexEvaluations } from "./queries";

/** One evaluation of an index. */
export function EvaluationDetail({ index, id }: { index: string; id: string }) {
  const query = useInfiniteQuery(indexEvaluations(index));
  const evaluation = query.data?.pages.flatMap((page) => page.items).find((each) => each.id === id);
  const { hasNextPage, isFetching, isError, fetchNextPage } = query;
  // An older one is on a later page.
  const searching = evaluation === undefined && hasNextPage && !isError;
  useEffect(() => {
    if (searching && !isFetching) void fetchNextPage();
  }, [searching, isFetching, fetchNextPage]);
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="xs">
        <AnchorLink to="/indexes/$name" params={{ name: index }} search={{ tab: "evaluations" }} size="sm" c="dimmed"><Group gap={5} component="span"><IconArrowLeft size={14} />All evaluations</Group></AnchorLink>
        {evaluation !== undefined && <Text span size="sm" c="dimmed">Measured <TimeAgo at={evaluation.at} /></Text>}
      </Group>
      {evaluation !== undefined && (
        <EvaluationReport result={evaluation.result} actions={<ButtonLink size="xs" variant="default" to="/jobs/$id" params={{ id }}>Job</ButtonLink>} />
      )}
      {evaluation === undefined && (
        <Panel>
          {isError ? <Failure error={query.error} onRetry={() => void query.refetch()} />
            : query.isPending || searching ? <Loading rows={8} />
              : <Empty icon={<IconChartDots size={22} />} title="No such evaluation">It is kept no longer than the generation that was measured.</Empty>}
        </Panel>
      )}
    </Stack>
  );
}
