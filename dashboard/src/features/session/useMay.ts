import { useQuery } from "@tanstack/react-query";
import type { Scope } from "~/api/types";
import { may, session } from "./queries";

/** Whether the signed-in key may do what needs `scope`. */
export function useMay(scope: Scope): boolean {
  const { data } = useQuery(session);
  return may(data, scope);
}
