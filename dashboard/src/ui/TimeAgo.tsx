import { Text, Tooltip } from "@mantine/core";
import { absolute, relative } from "~/format/time";
import { useNow } from "./now";

interface Props {
  at: string | null;
  absent?: string;
}

/** A moment relative to now; the moment itself in a tooltip. */
export function TimeAgo({ at, absent = "–" }: Props) {
  const now = useNow();
  if (at === null) return <>{absent}</>;
  return (
    <Tooltip label={absolute(at)}>
      <Text component="time" dateTime={at} inherit className="tabular" style={{ whiteSpace: "nowrap" }}>
        {relative(at, now)}
      </Text>
    </Tooltip>
  );
}
