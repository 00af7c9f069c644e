import { Button, Menu } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { IconChevronDown, IconPlus } from "@tabler/icons-react";
import { useState } from "react";
import { FillModal } from "~/features/indexes/FillModal";
import { TrainModal } from "~/features/models/TrainModal";
import { useMay } from "~/features/session/useMay";
import { kindOf } from "./kinds";

const CHOICES = [
  { kind: "train", label: "Train a model" },
  { kind: "index", label: "Fill an index" },
  { kind: "search", label: "Search with a picture" },
] as const;

/** Asks for a job of one's choice. */
export function NewJobMenu() {
  const [form, setForm] = useState<"train" | "index" | null>(null);
  const submit = useMay("submit");
  const navigate = useNavigate();
  return (
    <>
      <Menu position="bottom-end" width={220}>
        <Menu.Target>
          <Button leftSection={<IconPlus size={16} />} rightSection={<IconChevronDown size={15} />} disabled={!submit}>New job</Button>
        </Menu.Target>
        <Menu.Dropdown>
          {CHOICES.map(({ kind, label }) => {
            const { icon: Icon } = kindOf(kind);
            return (
              <Menu.Item key={kind} leftSection={<Icon size={16} />} onClick={() => (kind === "search" ? void navigate({ to: "/search" }) : setForm(kind))}>
                {label}
              </Menu.Item>
            );
          })}
        </Menu.Dropdown>
      </Menu>
      {form === "train" && <TrainModal opened onClose={() => setForm(null)} />}
      {form === "index" && <FillModal opened onClose={() => setForm(null)} />}
    </>
  );
}
