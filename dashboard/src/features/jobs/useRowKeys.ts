// Moving through the list by keyboard: j and k go down and up, x picks, Enter opens (on the row itself),
// `/` goes to the filter, Escape lets the selection go.
import { useHotkeys } from "@mantine/hooks";

export function useRowKeys(onToggle: (id: string) => void, onEscape: () => void): void {
  useHotkeys([
    ["j", () => move(1)],
    ["k", () => move(-1)],
    ["x", () => {
      const id = current()?.dataset.job;
      if (id !== undefined) onToggle(id);
    }],
    ["/", () => document.querySelector<HTMLInputElement>("[data-filter-focus]")?.focus()],
    ["Escape", onEscape],
  ]);
}

function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("[data-job]")];
}

function current(): HTMLElement | undefined {
  return rows().find((row) => row.contains(document.activeElement));
}

function move(step: 1 | -1): void {
  const all = rows();
  const at = current();
  const next = at === undefined ? all[0] : all[all.indexOf(at) + step];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
