// Colours, type and component defaults. The state colours of jobs are in features/jobs/states.
import {
  ActionIcon, Badge, Button, Menu, Modal, NumberInput, SegmentedControl, Select, Skeleton, TextInput, Tooltip,
  createTheme, defaultVariantColorsResolver, parseThemeColor, type CSSVariablesResolver, type MantineColorsTuple,
  type VariantColorsResolver,
} from "@mantine/core";

const brand: MantineColorsTuple = [
  "#eef1ff", "#dde3ff", "#b9c5ff", "#93a8ff", "#7089ff", "#5473ff", "#3b5bfd", "#2f49dc", "#263bb4", "#1c2c86",
];
const dark: MantineColorsTuple = [
  "#e4e7ec", "#c2c8d2", "#98a1b0", "#737d8e", "#39414e", "#2b323d", "#1e242d", "#161b22", "#10141a", "#0b0e13",
];
const gray: MantineColorsTuple = [
  "#f7f8fa", "#f0f2f5", "#e5e8ed", "#d6dae1", "#bcc2cd", "#98a1af", "#6b7585", "#4c5565", "#323a48", "#1b212c",
];

/** The light variant as a tint of the surface behind it, which stays calm in both schemes. */
const variantColorResolver: VariantColorsResolver = (input) => {
  const resolved = defaultVariantColorsResolver(input);
  const { isThemeColor, color } = parseThemeColor({ color: input.color ?? input.theme.primaryColor, theme: input.theme });
  if (input.variant !== "light" || !isThemeColor) return resolved;
  const tone = (shade: number) => `var(--mantine-color-${color}-${shade})`;
  return {
    ...resolved,
    background: `color-mix(in srgb, ${tone(6)} 13%, transparent)`,
    hover: `color-mix(in srgb, ${tone(6)} 20%, transparent)`,
    color: `light-dark(${tone(color === "gray" ? 7 : 8)}, ${tone(color === "gray" ? 4 : 3)})`,
  };
};

export const theme = createTheme({
  variantColorResolver,
  primaryColor: "brand",
  primaryShade: { light: 6, dark: 5 },
  colors: { brand, dark, gray },
  fontFamily: "'Inter', system-ui, -apple-system, 'Segoe UI', sans-serif",
  fontFamilyMonospace: "'JetBrains Mono', ui-monospace, 'SF Mono', Menlo, monospace",
  headings: { fontWeight: "620", sizes: { h1: { fontSize: "1.375rem" }, h2: { fontSize: "0.9375rem" } } },
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.25rem" },
  defaultRadius: "md",
  radius: { md: "8px", lg: "12px" },
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: "subtle", color: "gray" } }),
    Badge: Badge.extend({ defaultProps: { variant: "light", radius: "sm", tt: "none", fw: 550 } }),
    Button: Button.extend({ defaultProps: { size: "sm" } }),
    Menu: Menu.extend({ defaultProps: { shadow: "md" } }),
    Modal: Modal.extend({ defaultProps: { centered: true, radius: "lg", closeButtonProps: { "aria-label": "Close" } } }),
    NumberInput: NumberInput.extend({ defaultProps: { size: "sm" } }),
    SegmentedControl: SegmentedControl.extend({ defaultProps: { size: "sm" } }),
    Select: Select.extend({ defaultProps: { size: "sm", checkIconPosition: "right", clearButtonProps: { "aria-label": "Clear" } } }),
    Skeleton: Skeleton.extend({ defaultProps: { radius: "md" } }),
    TextInput: TextInput.extend({ defaultProps: { size: "sm" } }),
    Tooltip: Tooltip.extend({ defaultProps: { withArrow: true, openDelay: 250, events: { hover: true, focus: true, touch: true } } }),
  },
});

/** The page's own surfaces: canvas behind, surface of panels, lines between. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--canvas": "#f6f7f9",
    "--surface": "#ffffff",
    "--sunken": "#f7f8fa",
    "--line": "#e5e8ed",
    "--row-hover": "#f7f8fb",
    "--mantine-color-body": "#ffffff",
    "--mantine-color-text": "#1b212c",
    "--mantine-color-dimmed": "#667080",
    "--mantine-color-anchor": "#2f49dc",
  },
  dark: {
    "--canvas": "#0d1117",
    "--surface": "#151a21",
    "--sunken": "#10141a",
    "--line": "#262d38",
    "--row-hover": "#1a2029",
    "--mantine-color-body": "#151a21",
    "--mantine-color-text": "#dfe3ea",
    "--mantine-color-dimmed": "#8d97a7",
    "--mantine-color-anchor": "#93a8ff",
    "--mantine-color-error": "#ff8787",
  },
});
