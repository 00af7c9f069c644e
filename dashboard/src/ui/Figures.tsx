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
export function Figures({ figures }: { figures: Figure[] }) {
  return (
    <dl className={classes.figures}>
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
