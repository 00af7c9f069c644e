import { Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { jobCounts } from "~/features/jobs/queries";
import { STATES, STATE_ORDER } from "~/features/jobs/states";
import { compact, count } from "~/format/number";
import { every } from "~/live/every";
import classes from "./StateCounters.module.css";

/** How many jobs are in each state; each number leads to them. */
export function StateCounters() {
  const counts = useQuery({ ...jobCounts, refetchInterval: every(10_000) });
  return (
    <ul className={classes.counters} aria-label="Jobs by state">
      {STATE_ORDER.filter((state) => state !== "cancelling").map((state) => {
        const { label, color, icon: Icon } = STATES[state];
        const amount = counts.data?.by_state[state] ?? 0;
        return (
          <li key={state} className={classes.counter}>
            <Link to="/jobs" search={{ state }} className={classes.link}>
              <Text size="xs" c="dimmed" className={classes.label} component="span">
                <Icon size={15} stroke={2} color={`var(--mantine-color-${color}-${color === "gray" ? 5 : 6})`} aria-hidden />
                {label}
              </Text>
              {counts.data === undefined && !counts.isError ? <Skeleton h={30} w={54} /> : (
                <Text className={`${classes.amount ?? ""} tabular`} c={state === "failed" && amount > 0 ? "red" : undefined} title={count(amount)} component="span">
                  {counts.data === undefined ? "–" : amount > 99_999 ? compact(amount) : count(amount)}
                </Text>
              )}
            </Link>
          </li>
        );
      })}
    </ul>
  );
}
