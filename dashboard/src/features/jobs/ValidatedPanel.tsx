import { Alert, List, Text } from "@mantine/core";
import { IconAlertTriangle, IconCircleX } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { ValidateResult } from "~/api/types";
import { count } from "~/format/number";
import { type Figure, Figures } from "~/ui/Figures";
import { Readable } from "~/ui/Readable";
import { ClassSizes } from "./ClassSizes";
import { JsonPanel } from "./JsonPanel";
import { record, text } from "./read";

/** A report on labelled pictures, in a panel of its own. */
export function ValidatedPanel({ result }: { result: ValidateResult }) {
  return <JsonPanel title="Result" value={result}><Report result={result} /></JsonPanel>;
}

/** What is wrong with labelled pictures, and how many there are of each class. */
export function Report({ result }: { result: ValidateResult }) {
  const doubles = typeof result.exact_duplicates === "number" ? result.exact_duplicates : result.exact_duplicates.length;
  const figures: Figure[] = [
    { label: "Files", value: count(result.files) },
    { label: "Readable", value: count(result.readable) },
    { label: "Unreadable", value: count(result.unreadable), tone: result.unreadable > 0 ? "red" : undefined },
    { label: "Exact duplicates", value: count(doubles), tone: doubles > 0 ? "orange" : undefined },
    { label: "Classes", value: count(result.classes.length) },
  ];
  const side = result.suggested_image_size ?? null;
  if (side !== null) figures.push({ label: "Suggested picture side", value: `${side} px` });
  return (
    <>
      <Findings found={result.problems} color="red" icon={<IconCircleX size={18} />} title="A training would not start" />
      <Findings found={result.warnings} color="orange" icon={<IconAlertTriangle size={18} />} title="Worth a look before training" />
      <Figures figures={figures} />
      {Object.keys(record(result.sizes)).length > 0 && (
        <>
          <Text size="sm" fw={600} mt="lg" mb={4}>Sizes of the pictures</Text>
          <Readable value={result.sizes} />
        </>
      )}
      <ClassSizes classes={result.classes} />
    </>
  );
}

interface FindingsProps {
  found: unknown[] | undefined;
  color: string;
  icon: ReactNode;
  title: string;
}

function Findings({ found = [], color, icon, title }: FindingsProps) {
  if (found.length === 0) return null;
  return (
    <Alert color={color} icon={icon} title={title} mb="md">
      <List size="sm" spacing={4}>
        {found.map((each) => <List.Item key={sentence(each)}>{sentence(each)}</List.Item>)}
      </List>
    </Alert>
  );
}

/** A finding is a sentence, or an object that holds one. */
function sentence(found: unknown): string {
  const fields = record(found);
  return text(found) ?? text(fields.detail) ?? text(fields.message) ?? JSON.stringify(found);
}
