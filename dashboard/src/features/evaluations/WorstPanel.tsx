import { Button, Group, Text } from "@mantine/core";
import { IconCheck, IconX } from "@tabler/icons-react";
import { useState } from "react";
import type { WorstQuery } from "~/api/types";
import { significant } from "~/format/number";
import { Panel } from "~/ui/Panel";
import { Thumb } from "~/ui/Thumb";
import classes from "./WorstPanel.module.css";

const FEW = 5;

/** The queries that were answered worst, each with its first hits. */
export function WorstPanel({ queries }: { queries: WorstQuery[] }) {
  const [all, setAll] = useState(false);
  if (queries.length === 0) return null;
  return (
    <Panel title="Answered worst" hint="look here for wrong labels">
      <ol className={classes.list}>
        {queries.slice(0, all ? queries.length : FEW).map((query) => <Query key={query.uri} query={query} />)}
      </ol>
      {!all && queries.length > FEW && <Button mt="sm" variant="default" size="xs" onClick={() => setAll(true)}>Show all {queries.length}</Button>}
    </Panel>
  );
}

function Query({ query }: { query: WorstQuery }) {
  const { uri, class: name, predicted, average_precision: average, thumbnail, hits } = query;
  return (
    <li className={classes.query}>
      <div className={classes.asked}>
        <div className={classes.picture}><Thumb src={thumbnail} alt={`Query, ${name}, ${uri}`} /></div>
        <div className={classes.about}>
          <Text size="sm" fw={600} truncate title={name}>{name}</Text>
          <Text size="xs" c="dimmed">{predicted === name ? "recognised as such" : `taken for ${predicted}`}</Text>
          <Text size="xs" c="dimmed" className="tabular">Average precision {significant(average)}</Text>
          <Text size="xs" c="dimmed" className={`${classes.uri} mono`} title={uri}>{uri}</Text>
        </div>
      </div>
      {hits.length === 0 ? <Text size="sm" c="dimmed">Nothing was found.</Text> : (
        <ol className={classes.hits} aria-label={`First hits of ${uri}`}>
          {hits.map((hit) => <Hit key={hit.entry_id} hit={hit} />)}
        </ol>
      )}
    </li>
  );
}

/** A hit says whether it is right by a word and a sign, and by its frame. */
function Hit({ hit: { right, class: name, uri, thumbnail } }: { hit: WorstQuery["hits"][number] }) {
  return (
    <li className={classes.hit} data-right={right || undefined}>
      <div className={classes.frame}><Thumb src={thumbnail} alt={`${name}, ${uri}`} /></div>
      <Text size="xs" truncate mt={4} title={name}>{name}</Text>
      <Group gap={3} wrap="nowrap" className={classes.verdict}>
        {right ? <IconCheck size={13} stroke={2.6} aria-hidden /> : <IconX size={13} stroke={2.6} aria-hidden />}
        <Text span size="xs" fw={550} inherit>{right ? "right" : "wrong"}</Text>
      </Group>
    </li>
  );
}
