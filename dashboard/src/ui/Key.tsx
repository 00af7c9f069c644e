import { Kbd } from "@mantine/core";

/** A key of the keyboard. */
export function Key({ children }: { children: string }) {
  return <Kbd size="xs">{children}</Kbd>;
}
