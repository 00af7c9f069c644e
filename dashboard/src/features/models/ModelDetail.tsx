import { Badge, Group, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconArrowLeft, IconMoodEmpty } from "@tabler/icons-react";
import type { ModelVersion } from "~/api/types";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { AnchorLink, ButtonLink } from "~/ui/links";
import { PageHeader } from "~/ui/PageHeader";
import { Panel } from "~/ui/Panel";
import { TimeAgo } from "~/ui/TimeAgo";
import { ModelActions } from "./ModelActions";
import { ModelCard } from "./ModelCard";
import { modelVersion, modelVersions } from "./queries";

interface Props {
  name: string;
  version: number | undefined;
  onVersion: (version: number) => void;
}

/** A model's card: what it is, how good it is, and where it came from. */
export function ModelDetail({ name, version, onVersion }: Props) {
  const versions = useQuery(modelVersions(name));
  if (versions.isPending) return <Panel><Loading rows={8} /></Panel>;
  if (versions.isError && versions.data === undefined) return <Panel><Failure error={versions.error} onRetry={() => void versions.refetch()} /></Panel>;
  const shown = versions.data.find((each) => each.version === version) ?? versions.data.find((each) => each.is_default) ?? versions.data[0];
  if (shown === undefined) return <Panel><Empty icon={<IconMoodEmpty size={22} />} title="No such model" /></Panel>;
  return (
    <>
      <PageHeader
        name={shown.reference}
        above={<AnchorLink to="/models" size="sm" c="dimmed" w="fit-content"><Group gap={5} component="span"><IconArrowLeft size={14} />Models</Group></AnchorLink>}
        title={<Group gap={10} component="span">{shown.reference}{shown.is_default && <Badge size="lg">Default</Badge>}</Group>}
        below={<>{shown.backbone} · {shown.origin} <TimeAgo at={shown.created_at} /></>}
        actions={
          <>
            <Select
              aria-label="Version"
              w={140}
              allowDeselect={false}
              data={versions.data.map((each) => ({ value: String(each.version), label: `Version ${each.version}` }))}
              value={String(shown.version)}
              onChange={(value) => value !== null && onVersion(Number(value))}
            />
            <ButtonLink variant="default" to="/models/$name/compare" params={{ name }} search={pair(shown, versions.data)}>Compare</ButtonLink>
            <ModelActions model={shown} last={versions.data.length === 1} />
          </>
        }
      />
      <Card key={shown.version} name={name} version={shown.version} />
    </>
  );
}

/** The version with the parts of its card that lists leave out. */
function Card({ name, version }: { name: string; version: number }) {
  const model = useQuery(modelVersion(name, version));
  if (model.isPending) return <Panel><Loading rows={8} /></Panel>;
  if (model.data === undefined) return <Panel><Failure error={model.error} onRetry={() => void model.refetch()} /></Panel>;
  return <ModelCard model={model.data} />;
}

/** The version shown beside the one before it, or the default one. */
function pair(shown: ModelVersion, versions: ModelVersion[]): { a: string; b: string } {
  const before = versions.find(({ version }) => version < shown.version) ?? versions.find(({ version }) => version !== shown.version) ?? shown;
  return { a: before.reference, b: shown.reference };
}
