// Styles may set custom properties.
import "react";

declare module "react" {
  // eslint-disable-next-line @typescript-eslint/consistent-indexed-object-style -- only an interface can be merged
  interface CSSProperties {
    [name: `--${string}`]: string | number | undefined;
  }
}
