import { Text } from "@mantine/core";
import type { ReactNode } from "react";
import { significant } from "~/format/number";
import { absolute } from "~/format/time";
import { Facts } from "./Facts";
import classes from "./Readable.module.css";

type Leaf = [name: string, value: unknown];

/** A JSON object as names and values. What lies in an object of its own comes after, under that one's name. */
export function Readable({ value }: { value: unknown }) {
  const groups = grouped(value);
  if (groups.length === 0) return <Text size="sm" c="dimmed">Nothing here.</Text>;
  return groups.map(({ name, leaves }) => (
    <section key={name} className={classes.group}>
      {name !== "" && <Text component="h3" size="xs" fw={600} c="dimmed" m={0}>{spaced(name)}</Text>}
      <Facts facts={leaves.map(([label, leaf]) => ({ label: spaced(label), value: shown(leaf) }))} />
    </section>
  ));
}

function grouped(value: unknown): { name: string; leaves: Leaf[] }[] {
  const own = Object.entries(fields(value)).filter(([, inner]) => !isObject(inner));
  const inner = Object.entries(fields(value)).filter(([, each]) => isObject(each));
  const groups = [{ name: "", leaves: own }, ...inner.map(([name, each]) => ({ name, leaves: flattened(each, "") }))];
  return groups.filter(({ leaves }) => leaves.length > 0);
}

function flattened(value: unknown, path: string): Leaf[] {
  if (!isObject(value)) return [[path, value]];
  return Object.entries(fields(value)).flatMap(([name, inner]) => flattened(inner, path === "" ? name : `${path}, ${name}`));
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** Whether the value has parts with names. Lists of plain values are shown in one line. */
function isObject(value: unknown): boolean {
  if (Array.isArray(value)) return value.some((each) => typeof each === "object");
  return typeof value === "object" && value !== null;
}

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*Z$/;

function shown(leaf: unknown): ReactNode {
  if (leaf === null || leaf === "" || (Array.isArray(leaf) && leaf.length === 0)) return <Text span inherit c="dimmed">none</Text>;
  if (typeof leaf === "boolean") return leaf ? "yes" : "no";
  if (typeof leaf === "number") return Number.isInteger(leaf) || Math.abs(leaf) < 0.001 ? leaf : significant(leaf);
  if (Array.isArray(leaf)) return leaf.map((each) => (typeof each === "number" ? significant(each) : String(each))).join(", ");
  if (typeof leaf === "string") return MOMENT.test(leaf) ? absolute(leaf) : leaf;
  return JSON.stringify(leaf);
}

function spaced(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
