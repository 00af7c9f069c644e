import { Text } from "@mantine/core";
import type { SearchResult } from "~/api/types";
import { Thumb } from "~/ui/Thumb";
import classes from "./HitStrip.module.css";

/** The first hits of a search, small. */
export function HitStrip({ result, most = 18 }: { result: SearchResult; most?: number }) {
  if (result.hits.length === 0) return <Text size="sm" c="dimmed">Nothing was similar enough.</Text>;
  return (
    <ol className={classes.strip}>
      {result.hits.slice(0, most).map((hit) => (
        <li key={hit.entry_id}>
          <Thumb src={hit.thumbnail} alt={`${hit.class}, ${hit.uri}`} />
          <Text size="xs" truncate mt={4}>{hit.class}</Text>
          <Text size="xs" c="dimmed" className="tabular">{hit.similarity.toFixed(3)}</Text>
        </li>
      ))}
    </ol>
  );
}
