import type { ModelVersion } from "~/api/types";
import { number, record, text } from "~/features/jobs/read";
import { bytes, count, significant } from "~/format/number";
import { duration } from "~/format/time";
import { Mono } from "~/ui/Copy";
import { type Fact, Facts } from "~/ui/Facts";
import { AnchorLink } from "~/ui/links";
import { Panel } from "~/ui/Panel";

/** What a version is, what it was trained on, and with what. */
export function ModelFacts({ model }: { model: ModelVersion }) {
  const dataset = datasetFacts(model);
  return (
    <>
      <Panel title="Details"><Facts facts={facts(model)} /></Panel>
      {dataset.length > 0 && <Panel title="Dataset"><Facts facts={dataset} /></Panel>}
    </>
  );
}

function facts(model: ModelVersion): Fact[] {
  const card = record(model.card);
  const seconds = number(card.seconds);
  return known([
    { label: "Backbone", value: model.backbone },
    { label: "Started from", value: text(card.pretrained) },
    { label: "Picture size", value: `${model.image_size} × ${model.image_size}` },
    { label: "Embedding", value: `${significant(model.embedding_dim)} values` },
    { label: "Weights", value: bytes(model.weights_bytes) },
    { label: "Made by", value: model.job_id === null ? "import" : <AnchorLink to="/jobs/$id" params={{ id: model.job_id }} size="sm">its training job</AnchorLink> },
    { label: "Asked for by", value: text(card.created_by) ?? text(card.imported_by) },
    { label: "Device", value: text(card.device) },
    { label: "Took", value: seconds === null ? null : duration(seconds * 1_000) },
    { label: "Iterations", value: number(card.iterations) === null ? null : count(number(card.iterations)) },
    { label: "Lookalike", value: text(card.version) },
    { label: "Classes", value: model.classes.join(", ") },
  ]);
}

function datasetFacts(model: ModelVersion): Fact[] {
  const dataset = record(record(model.card).dataset);
  const place = [text(dataset.source), text(dataset.prefix)].filter((part) => part !== null && part !== "").join("/");
  const fingerprint = text(dataset.fingerprint);
  const amount = (value: unknown) => (number(value) === null ? null : count(number(value)));
  return known([
    { label: "Pictures of", value: place === "" ? null : place },
    { label: "Trained on", value: amount(dataset.train) },
    { label: "Held back", value: amount(dataset.validation) },
    { label: "Unreadable", value: amount(dataset.unreadable) },
    { label: "Fingerprint", value: fingerprint === null ? null : <Mono value={fingerprint} label="Copy the fingerprint" /> },
  ]);
}

function known(facts: Fact[]): Fact[] {
  return facts.filter(({ value }) => value !== null);
}
