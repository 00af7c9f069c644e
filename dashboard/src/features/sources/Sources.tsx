import { Grid } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconFolders } from "@tabler/icons-react";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { PageHeader } from "~/ui/PageHeader";
import { Panel } from "~/ui/Panel";
import { Browser } from "./Browser";
import classes from "./Sources.module.css";
import { SourceRow } from "./SourceRow";
import { sourceList } from "./queries";

interface Place {
  source: string;
  prefix?: string | undefined;
}

interface Props {
  source: string | undefined;
  prefix: string;
  onPlace: (place: Place) => void;
}

/** The places that pictures are read from, and what is in them. */
export function Sources({ source, prefix, onPlace }: Props) {
  const sources = useQuery(sourceList);
  const open = source ?? sources.data?.[0]?.name;
  return (
    <>
      <PageHeader name="Sources" below="Where pictures are read from. The operator declares them; uploads are one of their own." />
      {sources.isPending && <Panel><Loading rows={5} /></Panel>}
      {sources.isError && sources.data === undefined && <Panel><Failure error={sources.error} onRetry={() => void sources.refetch()} /></Panel>}
      {sources.data?.length === 0 && <Panel><Empty icon={<IconFolders size={22} />} title="No source is declared">Start the server with <code>--source NAME=URL</code>.</Empty></Panel>}
      {sources.data !== undefined && open !== undefined && (
        <Grid gap="md" align="flex-start">
          <Grid.Col span={{ base: 12, md: 4, xl: 3 }}>
            <Panel title="Declared" flush>
              <ul className={classes.list}>
                {sources.data.map((each) => (
                  <SourceRow key={each.name} source={each} active={each.name === open} onOpen={() => onPlace({ source: each.name })} />
                ))}
              </ul>
            </Panel>
          </Grid.Col>
          <Grid.Col span={{ base: 12, md: 8, xl: 9 }}>
            <Browser
              source={open}
              prefix={prefix}
              writable={sources.data.some(({ name, writable }) => name === open && writable)}
              onPrefix={(next) => onPlace({ source: open, prefix: next === "" ? undefined : next })}
            />
          </Grid.Col>
        </Grid>
      )}
    </>
  );
}
