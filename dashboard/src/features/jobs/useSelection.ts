// Which rows of the list are picked. Shift picks a range, as lists do everywhere.
import { type Dispatch, type SetStateAction, useCallback, useMemo, useRef } from "react";

export type Picked = ReadonlySet<string>;

export interface Selection {
  ids: string[];
  some: boolean;
  all: boolean;
  has: (id: string) => boolean;
  toggle: (id: string, range: boolean) => void;
  toggleAll: () => void;
  clear: () => void;
}

/** The ids between two rows, both included, in the order shown. */
export function idsBetween(ordered: string[], from: string, to: string): string[] {
  const ends = [ordered.indexOf(from), ordered.indexOf(to)].sort((a, b) => a - b);
  const [first = -1, last = -1] = ends;
  return first < 0 ? [to] : ordered.slice(first, last + 1);
}

export function useSelection(ordered: string[], picked: Picked, setPicked: Dispatch<SetStateAction<Picked>>): Selection {
  const anchor = useRef<string | null>(null);

  const toggle = useCallback((id: string, range: boolean) => {
    const ids = range && anchor.current !== null ? idsBetween(ordered, anchor.current, id) : [id];
    anchor.current = id;
    setPicked((before) => {
      const picking = !before.has(id);
      const after = new Set(before);
      for (const each of ids) {
        if (picking) after.add(each);
        else after.delete(each);
      }
      return after;
    });
  }, [ordered, setPicked]);

  return useMemo(() => {
    const ids = ordered.filter((id) => picked.has(id));
    const all = ordered.length > 0 && ids.length === ordered.length;
    return {
      ids,
      some: ids.length > 0,
      all,
      has: (id) => picked.has(id),
      toggle,
      toggleAll: () => setPicked(all ? new Set() : new Set(ordered)),
      clear: () => setPicked(new Set()),
    };
  }, [ordered, picked, setPicked, toggle]);
}
