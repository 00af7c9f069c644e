import { Box } from "@mantine/core";
import type { EpochMetrics } from "~/api/types";
import { bytes, percent, significant } from "~/format/number";
import { duration } from "~/format/time";
import { type Figure, Figures } from "~/ui/Figures";

/** The figures of the last epoch, and the best one so far. */
export function TrainingFigures({ rows, running }: { rows: EpochMetrics[]; running: boolean }) {
  const last = rows.at(-1);
  if (last === undefined) return null;
  const best = rows.reduce((top, row) => ((row.validation_accuracy ?? 0) > (top.validation_accuracy ?? 0) ? row : top));
  const figures: (Figure & { known?: boolean })[] = [
    { label: "Epoch", value: last.epoch },
    { label: "Validation accuracy", value: percent(last.validation_accuracy) },
    { label: "Best so far", value: percent(best.validation_accuracy), hint: `epoch ${best.epoch}` },
    { label: "Loss", value: significant(last.loss) },
    { label: "Speed", value: `${significant(last.images_per_second)}/s` },
    { label: "Waiting for pictures", value: percent(last.loader_wait_share, 0), known: isKnown(last.loader_wait_share), tone: (last.loader_wait_share ?? 0) > 0.2 ? "orange" : undefined },
    { label: "Device busy", value: percent((last.utilisation_percent ?? 0) / 100, 0), known: isKnown(last.utilisation_percent) },
    { label: "Device memory", value: bytes(last.memory_used_bytes), known: isKnown(last.memory_used_bytes) },
    { label: "Time left", value: duration((last.eta_seconds ?? 0) * 1_000), known: running && isKnown(last.eta_seconds) },
  ];
  return <Box mt="lg"><Figures figures={figures.filter(({ known = true }) => known)} /></Box>;
}

function isKnown(value: number | null | undefined): boolean {
  return value !== null && value !== undefined;
}
