import { Progress, SimpleGrid, Text } from "@mantine/core";
import type { SearchResult } from "~/api/types";
import { count, percent, significant } from "~/format/number";
import { Panel } from "~/ui/Panel";
import classes from "./Summary.module.css";
import { spent } from "./timings";

const MOST_CLASSES = 5;

/** What the query was recognised as, what was scanned, and where the time went. */
export function Summary({ result }: { result: SearchResult }) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
      <Panel title="Recognised as">
        <ul className={classes.list}>
          {result.query.classes.slice(0, MOST_CLASSES).map(({ class: name, probability }, place) => (
            <li key={name} className={classes.class}>
              <Text size="sm" fw={place === 0 ? 600 : 400} truncate>{name}</Text>
              <Progress value={probability * 100} size={7} color={place === 0 ? "brand" : "gray"} aria-label={`Probability of ${name}`} />
              <Text size="sm" ta="right" className="tabular" c={place === 0 ? undefined : "dimmed"}>{percent(probability)}</Text>
            </li>
          ))}
        </ul>
      </Panel>
      <Timings result={result} />
    </SimpleGrid>
  );
}

function Timings({ result }: { result: SearchResult }) {
  const { scanned } = result;
  const parts = spent(result.timings_ms);
  return (
    <Panel title={`Answered in ${significant(result.timings_ms.total)} ms`}>
      <Progress.Root size={12} mb={10}>
        {parts.map(({ name, share, color }) => <Progress.Section key={name} value={share * 100} color={color} aria-label={name} />)}
      </Progress.Root>
      <ul className={classes.legend}>
        {parts.map(({ name, ms, color }) => (
          <li key={name}>
            <span className={classes.swatch} style={{ background: `var(--mantine-color-${color.replace(".", "-")})` }} />
            <Text span size="xs" c="dimmed">{name} <span className="tabular">{significant(ms)} ms</span></Text>
          </li>
        ))}
      </ul>
      <Text size="sm" mt={12} className="tabular">
        {scanned.exact ? "Compared with " : "Searched among "}<strong>{count(scanned.entries)}</strong> of {count(scanned.of_entries)} pictures,
        in {count(scanned.partitions)} of {count(scanned.of_partitions)} classes
      </Text>
      <Text size="xs" c="dimmed" mt={2}>{scanned.engine} engine, {scanned.exact ? "exact" : "approximate"}</Text>
    </Panel>
  );
}
