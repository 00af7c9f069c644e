import type { IndexResult, Job, SearchResult, TrainResult } from "~/api/types";
import { EvaluationReport } from "~/features/evaluations/EvaluationReport";
import { count, percent, significant } from "~/format/number";
import { duration } from "~/format/time";
import { Figures } from "~/ui/Figures";
import { ButtonLink } from "~/ui/links";
import { PrecisionTable } from "~/ui/PrecisionTable";
import { DryRunPanel } from "./DryRunPanel";
import { HitStrip } from "./HitStrip";
import { JsonPanel } from "./JsonPanel";
import { dryRunResult, evaluateResult, indexResult, searchResult, trainResult, validateResult } from "./read";
import { stageTimes } from "./stages";
import { StagesPanel } from "./StagesPanel";
import { ValidatedPanel } from "./ValidatedPanel";

/** What a finished job gives, shown as its kind asks for; other kinds as names and values. */
export function ResultPanel({ job }: { job: Job }) {
  if (job.result === null || job.result === undefined) return null;
  const train = trainResult(job);
  if (train !== null) return <Trained result={train} />;
  const dry = dryRunResult(job);
  if (dry !== null) return <DryRunPanel result={dry} />;
  const index = indexResult(job);
  if (index !== null) return <Indexed result={index} />;
  const evaluation = evaluateResult(job);
  if (evaluation !== null) return <EvaluationReport result={evaluation} />;
  const search = searchResult(job);
  if (search !== null) return <Found id={job.id} result={search} />;
  const validation = validateResult(job);
  if (validation !== null) return <ValidatedPanel result={validation} />;
  return <JsonPanel title="Result" value={job.result} />;
}

function Trained({ result }: { result: TrainResult }) {
  const [name = "", version = ""] = result.model.split("@");
  return (
    <JsonPanel
      title="Result"
      hint={`${result.model}, on ${result.device}`}
      value={result}
      actions={<ButtonLink size="xs" variant="default" to="/models/$name" params={{ name }} search={{ version: Number(version) || undefined }}>Open the model</ButtonLink>}
    >
      <Figures
        figures={[
          { label: "Validation accuracy", value: percent(result.validation_accuracy) },
          { label: "Training accuracy", value: percent(result.train_accuracy) },
          { label: "Best epoch", value: `${result.best_epoch} of ${result.epochs}` },
          { label: "Speed", value: `${significant(result.images_per_second)}/s` },
          { label: "Took", value: duration(result.seconds * 1_000) },
        ]}
      />
      <PrecisionTable precision={result.precision_at} />
    </JsonPanel>
  );
}

function Indexed({ result }: { result: IndexResult }) {
  const times = stageTimes(result);
  return (
    <>
      <JsonPanel
        title="Result"
        hint={`${result.index}, generation ${result.generation}`}
        value={result}
        actions={<ButtonLink size="xs" variant="default" to="/indexes/$name" params={{ name: result.index }}>Open the index</ButtonLink>}
      >
        <Figures
          figures={[
            { label: "Added", value: count(result.added) },
            { label: "Updated", value: count(result.updated) },
            { label: "Unchanged", value: count(result.unchanged) },
            { label: "Removed", value: count(result.removed) },
            { label: "Failed", value: count(result.failed), tone: result.failed > 0 ? "red" : undefined },
            { label: "Speed", value: `${significant(result.images_per_second)}/s` },
            { label: "Took", value: duration(result.seconds * 1_000) },
          ]}
        />
      </JsonPanel>
      {times !== null && <StagesPanel times={times} />}
    </>
  );
}

function Found({ id, result }: { id: string; result: SearchResult }) {
  return (
    <JsonPanel
      title="Hits"
      hint={`${result.hits.length} in ${significant(result.timings_ms.total)} ms`}
      value={result}
      actions={<ButtonLink size="xs" variant="default" to="/search" search={{ job: id }}>Open in search</ButtonLink>}
    >
      <HitStrip result={result} />
    </JsonPanel>
  );
}
