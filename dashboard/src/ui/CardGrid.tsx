import { Paper } from "@mantine/core";
import { createLink } from "@tanstack/react-router";
import type { ComponentProps, ReactNode } from "react";
import classes from "./CardGrid.module.css";

/** Cards beside each other, as many as fit. */
export function CardGrid({ children }: { children: ReactNode }) {
  return <div className={classes.grid}>{children}</div>;
}

/** A card that leads somewhere. */
export const CardLink = createLink((props: ComponentProps<"a">) => <Paper component="a" {...props} className={classes.card} />);
