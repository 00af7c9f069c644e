import { IconPhotoOff } from "@tabler/icons-react";
import { useState } from "react";
import classes from "./Thumb.module.css";

interface Props {
  /** Null when there is none to show. */
  src: string | null;
  alt: string;
  /** Shows all of the picture instead of filling the square. */
  whole?: boolean;
}

/** A square picture; grey while it loads, crossed out when it cannot be shown. */
export function Thumb({ src, alt, whole = false }: Props) {
  const [state, setState] = useState<"loading" | "shown" | "broken">("loading");
  const broken = src === null || state === "broken";
  return (
    <span className={classes.frame} data-state={state} data-whole={whole || undefined}>
      {broken ? (
        <span role="img" aria-label={`${alt} (not available)`}><IconPhotoOff size={22} /></span>
      ) : (
        <img src={src} alt={alt} loading="lazy" decoding="async" onLoad={() => setState("shown")} onError={() => setState("broken")} />
      )}
    </span>
  );
}
