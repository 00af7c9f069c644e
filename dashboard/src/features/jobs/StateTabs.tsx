import { ScrollArea, UnstyledButton } from "@mantine/core";
import type { JobCounts, JobState } from "~/api/types";
import { compact, count } from "~/format/number";
import classes from "./StateTabs.module.css";
import { STATES, STATE_ORDER } from "./states";

interface Props {
  value: JobState | undefined;
  counts: JobCounts | undefined;
  onChange: (state: JobState | undefined) => void;
}

/** One tab per state with how many jobs are in it; the first shows them all. */
export function StateTabs({ value, counts, onChange }: Props) {
  const total = counts && Object.values(counts.by_state).reduce((sum, each) => sum + each, 0);
  return (
    <ScrollArea type="never" className={classes.scroll}>
      <div className={classes.tabs} role="group" aria-label="State">
        <Tab label="All" amount={total} active={value === undefined} onClick={() => onChange(undefined)} />
        {STATE_ORDER.map((state) => (
          <Tab
            key={state}
            label={STATES[state].label}
            color={STATES[state].color}
            amount={counts && (counts.by_state[state] ?? 0)}
            active={value === state}
            onClick={() => onChange(state)}
          />
        ))}
      </div>
    </ScrollArea>
  );
}

interface TabProps {
  label: string;
  color?: string;
  amount: number | undefined;
  active: boolean;
  onClick: () => void;
}

function Tab({ label, color, amount, active, onClick }: TabProps) {
  return (
    <UnstyledButton
      ref={(tab) => {
        if (active) tab?.scrollIntoView({ block: "nearest", inline: "nearest" });
      }}
      className={classes.tab} data-active={active || undefined} aria-pressed={active} onClick={onClick}>
      {color !== undefined && (
        <span className={classes.dot} style={{ background: `var(--mantine-color-${color}-${color === "gray" ? 5 : 6})` }} />
      )}
      {label}
      <span className={classes.count} title={count(amount)}>{amount === undefined ? "·" : compact(amount)}</span>
    </UnstyledButton>
  );
}
