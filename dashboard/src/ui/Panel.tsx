import { Box, Group, Paper, Text, Title } from "@mantine/core";
import { type ReactNode, useId } from "react";
import classes from "./Panel.module.css";

interface Props {
  title?: ReactNode;
  hint?: ReactNode | undefined;
  actions?: ReactNode;
  /** Without padding, for tables that reach the edges. */
  flush?: boolean;
  children: ReactNode;
}

/** A titled surface; everything on a page sits in one. */
export function Panel({ title, hint, actions, flush = false, children }: Props) {
  const id = useId();
  return (
    <Paper component="section" className={classes.panel} aria-labelledby={title === undefined ? undefined : id}>
      {title !== undefined && (
        <Group className={classes.head} justify="space-between" gap="6px 12px">
          <Group gap={8} wrap="nowrap" align="baseline" className={classes.name}>
            <Title order={2} id={id} className={classes.title}>{title}</Title>
            {hint !== undefined && <Text size="sm" c="dimmed" truncate>{hint}</Text>}
          </Group>
          {actions}
        </Group>
      )}
      <Box className={flush ? classes.flush : classes.body} data-headed={title !== undefined || undefined}>
        {children}
      </Box>
    </Paper>
  );
}
