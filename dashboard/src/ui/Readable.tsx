import { Text } from "@mantine/core";
import type { ReactNode } from "react";
import { significant } from "~/format/number";
import { Facts } from "./Facts";

/** A JSON object as names and values; nested objects are flattened into `outer · inner`. */
export function Readable({ value }: { value: unknown }) {
  const rows = flattened(value, "");
  if (rows.length === 0) return <Text size="sm" c="dimmed">Nothing here.</Text>;
  return <Facts facts={rows.map(([name, leaf]) => ({ label: spaced(name), value: shown(leaf) }))} />;
}

function flattened(value: unknown, path: string): [string, unknown][] {
  if (typeof value !== "object" || value === null) return path === "" ? [] : [[path, value]];
  if (Array.isArray(value) && value.every((each) => typeof each !== "object")) return [[path, value.join(", ")]];
  return Object.entries(value).flatMap(([key, inner]) => flattened(inner, path === "" ? key : `${path} · ${key}`));
}

function shown(leaf: unknown): ReactNode {
  if (leaf === null || leaf === "") return <Text span inherit c="dimmed">none</Text>;
  if (typeof leaf === "boolean") return leaf ? "yes" : "no";
  if (typeof leaf === "number") return Number.isInteger(leaf) || Math.abs(leaf) < 0.001 ? leaf : significant(leaf);
  return typeof leaf === "string" ? leaf : JSON.stringify(leaf);
}

function spaced(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
