import { type ReactNode, useState } from "react";
import type { EvaluateResult, RankBy } from "~/api/types";
import { JsonPanel } from "~/features/jobs/JsonPanel";
import { count, percent, significant } from "~/format/number";
import { type Figure, Figures } from "~/ui/Figures";
import { PrecisionTable } from "~/ui/PrecisionTable";
import { ClassesPanel } from "./ClassesPanel";
import { depths, ends, measured } from "./figures";
import { SettingsPanel } from "./SettingsPanel";
import { WorstPanel } from "./WorstPanel";

interface Props {
  result: EvaluateResult;
  actions?: ReactNode;
}

/** What an evaluation found: as a whole, setting by setting, class by class, and where it was worst. */
export function EvaluationReport({ result, actions }: Props) {
  const [ranking, setRanking] = useState<RankBy>("embedding");
  const { failed = 0, settings = [], per_class, worst = [] } = result;
  const figures: Figure[] = [
    { label: "Accuracy", value: percent(result.accuracy), hint: "pictures recognised" },
    ...ends(depths(result.precision_at, "embedding")).map((k) => ({ label: `P@${k}`, value: percent(result.precision_at.embedding?.[k]), hint: "by embedding" })),
    { label: "mAP", value: percent(result.map), hint: "by embedding" },
    { label: "Hits kept", value: percent(result.routing_recall), hint: "of a search in all classes" },
    { label: "Classes probed", value: significant(result.partitions_probed), hint: "on average" },
  ];
  if (failed > 0) figures.push({ label: "Unreadable", value: count(failed), tone: "red", hint: "left out" });
  return (
    <>
      <JsonPanel title="Result" hint={measured(result)} value={result} actions={actions}>
        <Figures figures={figures} />
        {settings.length === 0 && <PrecisionTable precision={result.precision_at} map={result.map_by ?? {}} />}
      </JsonPanel>
      <SettingsPanel settings={settings} ranking={ranking} onRanking={setRanking} />
      <ClassesPanel rows={per_class} ranking={ranking} onRanking={setRanking} />
      <WorstPanel queries={worst} />
    </>
  );
}
