import { Group, Text } from "@mantine/core";
import classes from "./Legend.module.css";

interface Props {
  series: { name: string; label?: string; color: string }[];
}

/** Which colour of a chart is what; as many lines as it takes. */
export function Legend({ series }: Props) {
  return (
    <Group component="ul" gap="4px 16px" className={classes.legend}>
      {series.map(({ name, label, color }) => (
        <Group component="li" key={name} gap={7} wrap="nowrap">
          <span className={classes.swatch} style={{ background: `var(--mantine-color-${color.replace(".", "-")})` }} />
          <Text span size="xs" c="dimmed">{label ?? name}</Text>
        </Group>
      ))}
    </Group>
  );
}
