import { Alert, Button, Grid, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconAlertTriangle, IconChartDots } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { placeOf } from "~/features/evaluations/figures";
import type { StoredGeneration } from "~/api/types";
import { evaluations } from "~/features/jobs/queries";
import { useMay } from "~/features/session/useMay";
import { Empty, Failure, Loading } from "~/ui/Blank";
import { Panel } from "~/ui/Panel";
import { EvaluateModal } from "./EvaluateModal";
import { type Measurement, mismatches, type Setup, type Standing, standingOf, together } from "./evaluations";
import { ClassTable, FigureTable } from "./FigureTables";
import { classesOf, figuresOf } from "./figures";
import { GenerationCard } from "./GenerationCard";
import type { Pair } from "./pair";

/** What is about to be measured, and how. */
interface Measuring {
  generations: number[];
  like?: Setup | undefined;
}

/** Both generations, their figures, and what is missing to tell them apart. */
export function ComparedPair({ index, pair }: { index: string; pair: Pair<StoredGeneration> }) {
  const jobs = useQuery(evaluations);
  const [measuring, setMeasuring] = useState<Measuring | null>(null);
  if (jobs.isPending) return <Panel><Loading rows={8} /></Panel>;
  if (jobs.data === undefined) return <Panel><Failure error={jobs.error} onRetry={() => void jobs.refetch()} /></Panel>;
  const standing = { a: standingOf(jobs.data, index, pair.a), b: standingOf(jobs.data, index, pair.b) };
  const shown = together(standing.a.measurements, standing.b.measurements);
  const side = (key: "a" | "b", other: "a" | "b") => (
    <Grid.Col span={{ base: 12, sm: 6 }}>
      <GenerationCard
        index={index}
        generation={pair[key]}
        standing={standing[key]}
        measurement={shown[key]}
        onMeasure={() => setMeasuring({ generations: [pair[key].id], like: (shown[other] ?? shown[key])?.setup })}
      />
    </Grid.Col>
  );
  return (
    <Stack gap="md">
      <Grid gap="md">{side("a", "b")}{side("b", "a")}</Grid>
      <Verdict pair={pair} standing={standing} shown={shown} onMeasure={setMeasuring} />
      {measuring !== null && <EvaluateModal opened index={index} {...measuring} onDone={() => setMeasuring(null)} onClose={() => setMeasuring(null)} />}
    </Stack>
  );
}

interface VerdictProps {
  pair: Pair<StoredGeneration>;
  standing: Pair<Standing>;
  shown: Pair<Measurement | null>;
  onMeasure: (measuring: Measuring) => void;
}

function Verdict({ pair, standing, shown, onMeasure }: VerdictProps) {
  const { a, b } = shown;
  const names = { a: String(pair.a.id), b: String(pair.b.id) };
  const ask = (generations: number[], like?: Setup) => onMeasure({ generations, like });
  if (a === null && b === null) return <Unmeasured running={standing.a.running !== null || standing.b.running !== null} onMeasure={() => ask([pair.a.id, pair.b.id])} />;
  return (
    <>
      {a !== null && b !== null && <Unlike a={a} b={b} onMeasure={ask} />}
      {(a === null || b === null) && <HalfMeasured pair={pair} standing={standing} shown={shown} onMeasure={onMeasure} />}
      <Panel title="Figures"><FigureTable names={names} figures={figuresOf(a?.result ?? null, b?.result ?? null)} /></Panel>
      {a !== null && b !== null && a.result.per_class.length + b.result.per_class.length > 0 && (
        <Panel title="By class"><ClassTable names={names} rows={classesOf(a.result, b.result)} /></Panel>
      )}
    </>
  );
}

function Unmeasured({ running, onMeasure }: { running: boolean; onMeasure: () => void }) {
  return (
    <Panel>
      <Empty icon={<IconChartDots size={22} />} title={running ? "The figures come when measuring ends" : "Neither was measured"} action={!running && <MeasureButton onClick={onMeasure}>Measure both</MeasureButton>}>
        {running ? "They stand here side by side as soon as each evaluation has ended." : "The same labelled pictures, searched with in both, tell which one answers better. Evaluations that are kept no longer do not count."}
      </Empty>
    </Panel>
  );
}

/** One stands without the other, which can be measured the same way. */
function HalfMeasured({ pair, standing, shown, onMeasure }: VerdictProps) {
  const [missing, known] = shown.a === null ? (["a", "b"] as const) : (["b", "a"] as const);
  const { id } = pair[missing];
  const setup = shown[known]?.setup;
  if (setup === undefined || standing[missing].running !== null) return null;
  return (
    <Alert color="blue" icon={<IconChartDots size={18} />} title={`Generation ${id} was not measured yet`}>
      Once it is measured with {placeOf(setup)} too, it can be held against generation {pair[known].id}.
      <MeasureButton onClick={() => onMeasure({ generations: [id], like: setup })}>Measure generation {id}</MeasureButton>
    </Alert>
  );
}

/** The two were not measured alike; the one that was measured earlier can be measured as the later one was. */
function Unlike({ a, b, onMeasure }: Pair<Measurement> & { onMeasure: (generations: number[], like: Setup) => void }) {
  const said = mismatches(a, b);
  if (said.length === 0) return null;
  const [early, late] = a.at < b.at ? [a, b] : [b, a];
  const id = early.result.generation ?? 0;
  return (
    <Alert color="orange" icon={<IconAlertTriangle size={18} />} title="They were measured with different evaluation sets">
      {said.map((sentence) => <div key={sentence}>{sentence}</div>)}
      <div>A difference need not mean that one is better.</div>
      <MeasureButton onClick={() => onMeasure([id], late.setup)}>Measure generation {id} with {placeOf(late.setup)}</MeasureButton>
    </Alert>
  );
}

function MeasureButton({ onClick, children }: { onClick: () => void; children: ReactNode }) {
  const submit = useMay("submit");
  return <Button size="xs" variant="default" mt="xs" display="block" disabled={!submit} onClick={onClick}>{children}</Button>;
}
