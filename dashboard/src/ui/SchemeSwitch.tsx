import { SegmentedControl, VisuallyHidden, useMantineColorScheme, type MantineColorScheme } from "@mantine/core";
import { IconDeviceDesktop, IconMoon, IconSun } from "@tabler/icons-react";
import type { ReactNode } from "react";

function choice(value: MantineColorScheme, label: string, icon: ReactNode) {
  return { value, label: <span title={label} style={{ display: "flex", justifyContent: "center" }}>{icon}<VisuallyHidden>{label}</VisuallyHidden></span> };
}

const CHOICES = [
  choice("light", "Light", <IconSun size={15} />),
  choice("auto", "As the system", <IconDeviceDesktop size={15} />),
  choice("dark", "Dark", <IconMoon size={15} />),
];

/** Light, dark, or whatever the system says. */
export function SchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <SegmentedControl
      aria-label="Colour scheme"
      size="xs"
      fullWidth
      value={colorScheme}
      onChange={(value) => setColorScheme(value)}
      data={CHOICES}
    />
  );
}
