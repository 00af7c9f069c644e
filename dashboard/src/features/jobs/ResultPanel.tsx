import { IconPhotoSearch } from "@tabler/icons-react";
import type { Job } from "~/api/types";
import { count, percent, significant } from "~/format/number";
import { duration } from "~/format/time";
import { Figures } from "~/ui/Figures";
import { ButtonLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";
import { PrecisionTable } from "~/ui/PrecisionTable";
import { ParamsPanel } from "./ParamsPanel";
import { PerClass } from "./PerClass";
import { evaluateResult, indexResult, searchResult, trainResult } from "./read";
import { HitStrip } from "./HitStrip";

/** What a finished job gives, shown as its kind asks for; other kinds as names and values. */
export function ResultPanel({ job }: { job: Job }) {
  if (job.result === null || job.result === undefined) return null;
  const train = trainResult(job);
  if (train !== null) {
    const [name = "", version = ""] = train.model.split("@");
    return (
      <Panel title="Result" hint={train.model} actions={<ButtonLink size="xs" variant="default" to="/models/$name" params={{ name }} search={{ version: Number(version) || undefined }}>Open the model</ButtonLink>}>
        <Figures
          figures={[
            { label: "Validation accuracy", value: percent(train.validation_accuracy) },
            { label: "Training accuracy", value: percent(train.train_accuracy) },
            { label: "Best epoch", value: `${train.best_epoch} of ${train.epochs}` },
            { label: "Speed", value: `${significant(train.images_per_second)}/s`, hint: train.device },
            { label: "Took", value: duration(train.seconds * 1_000) },
          ]}
        />
        <PrecisionTable precision={train.precision_at} />
      </Panel>
    );
  }
  const index = indexResult(job);
  if (index !== null) {
    return (
      <Panel title="Result" hint={`${index.index}, generation ${index.generation}`} actions={<ButtonLink size="xs" variant="default" to="/indexes/$name" params={{ name: index.index }}>Open the index</ButtonLink>}>
        <Figures
          figures={[
            { label: "Added", value: count(index.added) },
            { label: "Updated", value: count(index.updated) },
            { label: "Unchanged", value: count(index.unchanged) },
            { label: "Removed", value: count(index.removed) },
            { label: "Failed", value: count(index.failed), tone: index.failed > 0 ? "red" : undefined },
            { label: "Speed", value: `${significant(index.images_per_second)}/s` },
            { label: "Took", value: duration(index.seconds * 1_000) },
          ]}
        />
      </Panel>
    );
  }
  const evaluation = evaluateResult(job);
  if (evaluation !== null) {
    return (
      <Panel title="Result" hint={`${count(evaluation.queries)} queries`}>
        <Figures figures={[
          { label: "mAP", value: significant(evaluation.map) },
          { label: "Routing recall", value: percent(evaluation.routing_recall), hint: "true class among those probed" },
        ]} />
        <PrecisionTable precision={evaluation.precision_at} />
        <PerClass rows={evaluation.per_class} />
      </Panel>
    );
  }
  const search = searchResult(job);
  if (search !== null) {
    return (
      <Panel title="Hits" hint={`${search.hits.length} in ${significant(search.timings_ms.total)} ms`} actions={
        <ButtonLink size="xs" variant="default" leftSection={<IconPhotoSearch size={15} />} to="/search" search={{ job: job.id }}>Open in search</ButtonLink>
      }>
        <HitStrip result={search} />
      </Panel>
    );
  }
  return <ParamsPanel title="Result" value={job.result} />;
}
