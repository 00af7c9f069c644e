import { Text } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./Figures.module.css";

export interface Figure {
  label: string;
  value: ReactNode;
  hint?: string;
  tone?: string | undefined;
}

/** A row of numbers with their names. */
export function Figures({ figures, dense = false }: { figures: Figure[]; dense?: boolean }) {
  return (
    <dl className={classes.figures} data-dense={dense || undefined}>
      {figures.map(({ label, value, hint, tone }) => (
        <div key={label} className={classes.figure}>
          <Text component="dt" size="xs" c="dimmed">{label}</Text>
          <Text component="dd" m={0} fw={620} fz="lg" c={tone} className="tabular">{value}</Text>
          {hint !== undefined && <Text size="xs" c="dimmed">{hint}</Text>}
        </div>
      ))}
    </dl>
  );
}
