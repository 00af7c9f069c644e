import { NumberInput, SegmentedControl, Slider, Switch, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { RANKINGS } from "~/features/evaluations/RankingSwitch";
import { DEFAULT_K, MAX_K, type SearchParams } from "./params";

interface Props {
  params: SearchParams;
  onParams: (change: Partial<SearchParams>) => void;
}

/** How to look, and what hits must be. */
export function Options({ params, onParams }: Props) {
  return (
    <>
      <NumberInput
        label="Hits"
        min={1}
        max={MAX_K}
        value={params.k ?? DEFAULT_K}
        onChange={(value) => onParams({ k: typeof value === "number" && value !== DEFAULT_K ? value : undefined })}
        clampBehavior="strict"
      />
      <div>
        <Text size="sm" fw={500} mb={4} id="rank-by">Rank by</Text>
        <SegmentedControl
          fullWidth
          aria-labelledby="rank-by"
          data={RANKINGS}
          value={params.rank_by ?? "embedding"}
          onChange={(value) => onParams({ rank_by: value === "probabilities" ? "probabilities" : undefined })}
        />
      </div>
      <Probes params={params} onParams={onParams} />
      <div>
        <Text size="sm" fw={500} mb={4}>Least similarity</Text>
        <Slider
          min={0}
          max={1}
          step={0.01}
          label={(value) => value.toFixed(2)}
          thumbLabel="Least similarity"
          key={params.min}
          defaultValue={params.min ?? 0}
          onChangeEnd={(min) => onParams({ min: min > 0 ? min : undefined })}
          marks={[{ value: 0, label: "any" }, { value: 0.5, label: "0.5" }, { value: 1, label: "same" }]}
          mb={18}
          mx={8}
        />
      </div>
      <UriPrefix value={params.uri_prefix ?? ""} onChange={(prefix) => onParams({ uri_prefix: prefix === "" ? undefined : prefix })} />
      <Switch
        label="Show near-duplicates once"
        checked={params.collapse_duplicates === true}
        onChange={(event) => onParams({ collapse_duplicates: event.currentTarget.checked ? true : undefined })}
      />
    </>
  );
}

/** Likely classes are looked into until their probabilities sum to so many percent. */
const AUTO_PERCENT = 95;

function Probes({ params, onParams }: Props) {
  const probes = params.probes ?? "auto";
  const fixed = /^\d+$/.test(probes);
  const likely = !fixed && probes !== "all";
  return (
    <div>
      <Text size="sm" fw={500} mb={4} id="probes">Classes to look into</Text>
      <SegmentedControl
        fullWidth
        aria-labelledby="probes"
        data={[{ value: "auto", label: "Likely ones" }, { value: "all", label: "All" }, { value: "1", label: "First" }]}
        value={fixed ? "1" : likely ? "auto" : "all"}
        onChange={(value) => onParams({ probes: value === "auto" ? undefined : value })}
      />
      {fixed && (
        <NumberInput
          mt={8}
          aria-label="Number of classes"
          min={1}
          max={1_000}
          prefix="the first "
          value={Number(probes)}
          onChange={(value) => onParams({ probes: typeof value === "number" && value >= 1 ? String(value) : "1" })}
        />
      )}
      {likely && (
        <NumberInput
          mt={8}
          aria-label="How sure the classes must be together, in percent"
          min={1}
          max={99}
          prefix="until "
          suffix=" % sure"
          value={probes === "auto" ? AUTO_PERCENT : Number((Number(probes) * 100).toPrecision(4))}
          onChange={(value) => onParams({ probes: typeof value === "number" && value > 0 && value < 100 && value !== AUTO_PERCENT ? String(value / 100) : undefined })}
        />
      )}
    </div>
  );
}

function UriPrefix({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  const [seen, setSeen] = useState(value);
  const [typing, setTyping] = useState(false);
  if (value !== seen) {
    // The URL changed. What is typed here arrives there a little later, so the field follows only when left alone.
    setSeen(value);
    if (!typing) setTyped(value);
  }
  return (
    <TextInput
      label="Only under"
      placeholder="any, as photos/2024/"
      description="A source and how its keys begin"
      inputWrapperOrder={["label", "input", "description", "error"]}
      value={typed}
      onFocus={() => setTyping(true)}
      onBlur={() => setTyping(false)}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        onChange(event.currentTarget.value);
      }}
    />
  );
}
