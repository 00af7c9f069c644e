import { Progress, Text } from "@mantine/core";
import { percent } from "~/format/number";
import { duration } from "~/format/time";
import { Legend } from "~/ui/Legend";
import { Panel } from "~/ui/Panel";
import { bound, type StageName, type StageShares, type StageTimes } from "./stages";
import classes from "./StagesPanel.module.css";

const LABELS: Record<StageName, string> = { list: "Listing", read: "Reading", embed: "Network", commit: "Storing" };
const SERIES = [
  { name: "worked", label: "Worked", color: "brand.6" },
  { name: "input", label: "Waited for input", color: "gray.5" },
  { name: "output", label: "Waited for output", color: "orange.4" },
] as const;

/** What each stage of a pipeline did with the time, and which one the others waited for. */
export function StagesPanel({ times }: { times: StageTimes }) {
  const { seconds, stages, fetched, decoded } = times;
  return (
    <Panel title="Where the time went" hint={`over ${duration(seconds * 1_000)}`}>
      <Text size="sm" fw={550} mb="sm">{bound(times)}</Text>
      <ul className={classes.stages}>
        {stages.map((stage) => (
          <Stage key={stage.name} stage={stage}>
            {stage.name === "read" && stage.worked > 0 && `, about ${fetched.toFixed(1)} files fetched and ${decoded.toFixed(1)} decoded at a time`}
          </Stage>
        ))}
      </ul>
      <Legend series={[...SERIES]} />
    </Panel>
  );
}

function Stage({ stage, children }: { stage: StageShares; children: React.ReactNode }) {
  return (
    <li className={classes.stage}>
      <Text span size="sm" fw={550}>{LABELS[stage.name]}</Text>
      <Progress.Root size={10} aria-hidden>
        {SERIES.map(({ name, color }) => <Progress.Section key={name} value={stage[name] * 100} color={color} />)}
      </Progress.Root>
      <Text size="xs" c="dimmed" className={`${classes.told} tabular`}>{told(stage)}{children}</Text>
    </li>
  );
}

/** `worked 54 %, waited for input 46 %`; what comes to nothing is left out. */
function told({ worked, input, output, through }: StageShares): string {
  const waits = [["waited for input", input], ["waited for output", output], ["had nothing left to do", through]] as const;
  const shown = waits.filter(([, share]) => share >= 0.005).map(([name, share]) => `${name} ${unbroken(share)}`);
  return [`worked ${unbroken(worked)}`, ...shown].join(", ");
}

/** A percentage that no line ends within. */
function unbroken(share: number): string {
  return percent(share, 0).replace(" ", "\u00a0");
}
