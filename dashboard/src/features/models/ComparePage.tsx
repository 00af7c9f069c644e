import { Alert, Group, Select, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconAlertTriangle, IconArrowLeft } from "@tabler/icons-react";
import type { Comparison } from "~/api/types";
import { Failure, Loading } from "~/ui/Blank";
import { AnchorLink } from "~/ui/links";
import { PageHeader } from "~/ui/PageHeader";
import { Panel } from "~/ui/Panel";
import { ClassDifferences, FieldDifferences, MetricDifferences } from "./ComparisonTables";
import { comparison, modelList, modelVersions } from "./queries";

interface Props {
  name: string;
  a: string;
  b: string;
  onPair: (pair: { a: string; b: string }) => void;
}

/** Two versions side by side: which is better, at what, and what was done differently. */
export function ComparePage({ name, a, b, onPair }: Props) {
  const versions = useQuery(modelVersions(name));
  const others = useQuery(modelList);
  const compared = useQuery(comparison(name, a, b));
  const own = versions.data?.map(({ reference }) => reference) ?? [];
  const foreign = others.data?.filter((model) => model.name !== name).map(({ latest }) => latest.reference) ?? [];
  const choices = [...new Set([...own, ...foreign, a, b])];
  const choose = (side: "a" | "b") => (value: string | null) => value !== null && onPair({ a, b, [side]: value });
  return (
    <>
      <PageHeader
        name={`Compare ${a} and ${b}`}
        title="Compare"
        above={<AnchorLink to="/models/$name" params={{ name }} size="sm" c="dimmed" w="fit-content"><Group gap={5} component="span"><IconArrowLeft size={14} />{name}</Group></AnchorLink>}
        actions={
          <>
            <Select aria-label="One version" w={170} allowDeselect={false} searchable data={choices} value={a} onChange={choose("a")} />
            <Select aria-label="Other version" w={170} allowDeselect={false} searchable data={choices} value={b} onChange={choose("b")} />
          </>
        }
      />
      {compared.isPending && <Panel><Loading rows={8} /></Panel>}
      {compared.isError && <Panel><Failure error={compared.error} onRetry={() => void compared.refetch()} /></Panel>}
      {compared.data !== undefined && <Shown comparison={compared.data} />}
    </>
  );
}

function Shown({ comparison }: { comparison: Comparison }) {
  const { classes } = comparison;
  const names = { a: comparison.a.reference, b: comparison.b.reference };
  return (
    <Stack gap="md">
      {comparison.same_dataset === false && (
        <Alert color="orange" icon={<IconAlertTriangle size={18} />} title="They were trained on different pictures">
          Each was measured on validation pictures of its own, so that a difference need not mean that one is better.
        </Alert>
      )}
      <Panel title="Figures"><MetricDifferences names={names} rows={comparison.metrics} /></Panel>
      {comparison.per_class !== null && comparison.per_class.length > 0 && <Panel title="By class"><ClassDifferences names={names} rows={comparison.per_class} /></Panel>}
      {!classes.same && (
        <Panel title="Classes">
          <FieldDifferences names={names} rows={[{ field: "only here", a: classes.only_a.join(", "), b: classes.only_b.join(", ") }]} />
        </Panel>
      )}
      <Panel title="Recipe" hint="what differs"><FieldDifferences names={names} rows={comparison.recipe} /></Panel>
      <Panel title="Dataset" hint="what differs"><FieldDifferences names={names} rows={comparison.dataset} /></Panel>
    </Stack>
  );
}
