import { Badge, Button, NavLink, Text } from "@mantine/core";
import type { Source } from "~/api/types";
import { useMay } from "~/features/session/useMay";
import classes from "./Sources.module.css";
import { useTestSource } from "./queries";
import { TestReport } from "./TestReport";

interface Props {
  source: Source;
  active: boolean;
  onOpen: () => void;
}

/** One source: opens it, or tests whether it can be read. */
export function SourceRow({ source, active, onOpen }: Props) {
  const { name, url, writable } = source;
  const submit = useMay("submit");
  const test = useTestSource(name);
  return (
    <li>
      <div className={classes.row}>
        <NavLink
          component="button"
          active={active}
          label={<Text size="sm" fw={600}>{name}</Text>}
          description={<span className="mono" title={url}>{url}</span>}
          rightSection={writable ? <Badge size="xs" color="teal">writable</Badge> : undefined}
          className={classes.source}
          onClick={onOpen}
        />
        <Button size="xs" variant="default" className={classes.test} aria-label={`Test ${name}`} disabled={!submit} loading={test.isPending} onClick={() => test.mutate()}>Test</Button>
      </div>
      <div role="status">
        {test.isPending && <Text size="xs" c="dimmed" className={classes.report}>Lists it and reads the beginning of one object</Text>}
        {test.isError && <Text size="xs" c="red" className={classes.report}>{test.error.message}</Text>}
        {test.isSuccess && <TestReport source={source} test={test.data} />}
      </div>
    </li>
  );
}
