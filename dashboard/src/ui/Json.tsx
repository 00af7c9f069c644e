import { Box, ScrollArea } from "@mantine/core";
import type { ReactNode } from "react";
import { Copy } from "./Copy";
import classes from "./Json.module.css";

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;

/** A value as indented JSON, tinted, with a copy button. */
export function Json({ value, label, maxHeight = 420 }: { value: unknown; label: string; maxHeight?: number }) {
  const text = JSON.stringify(value, null, 2);
  return (
    <Box className={classes.frame}>
      <Box className={classes.copy}><Copy value={text} label={`Copy ${label} as JSON`} /></Box>
      <ScrollArea.Autosize mah={maxHeight} type="auto" viewportProps={{ tabIndex: 0, "aria-label": `${label} as JSON` }}>
        <pre className={classes.text}>{tinted(text)}</pre>
      </ScrollArea.Autosize>
    </Box>
  );
}

function tinted(text: string): ReactNode[] {
  const parts: ReactNode[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [all, quoted, colon, word] = match;
    parts.push(text.slice(end, match.index));
    end = match.index + all.length;
    if (quoted === undefined) {
      parts.push(<span key={match.index} className={word === undefined ? classes.number : classes.word}>{all}</span>);
    } else {
      parts.push(<span key={match.index} className={colon === undefined ? classes.string : classes.name}>{quoted}</span>, colon);
    }
  }
  parts.push(text.slice(end));
  return parts;
}
