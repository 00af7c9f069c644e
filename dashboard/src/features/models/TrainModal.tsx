import { Autocomplete, Collapse, SegmentedControl, Select, Text, UnstyledButton, NumberInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { IconChevronRight } from "@tabler/icons-react";
import { useState } from "react";
import { SubmitModal } from "~/features/jobs/SubmitModal";
import { PlaceInput } from "~/features/sources/PlaceInput";
import { CheckPictures } from "./CheckPictures";
import { backbones, modelList } from "./queries";
import { TrainOptions } from "./TrainOptions";
import { checkRequest, EMPTY_FORM, type TrainForm, trainRequest } from "./trainRequest";
import classes from "./TrainModal.module.css";

/** Asks for a model to be trained. */
export function TrainModal({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const models = useQuery(modelList);
  const networks = useQuery(backbones);
  const [form, setForm] = useState<TrainForm>(EMPTY_FORM);
  const [more, { toggle }] = useDisclosure(false);
  const set = (change: Partial<TrainForm>) => setForm((before) => ({ ...before, ...change }));
  const request = trainRequest(form);
  const names = models.data?.map(({ name }) => name) ?? [];
  // A training takes the network of the model that it starts from.
  const start = models.data?.find(({ name }) => name === form.pretrained);
  const check = checkRequest(form, form.backbone ?? start?.default.backbone ?? null);

  return (
    <SubmitModal
      opened={opened}
      title="Train a model"
      action="Start training"
      submission={request && { kind: "train", body: request }}
      onClose={onClose}
    >
      {(errorAt) => (
        <>
          <Autocomplete
            label="Model"
            description="A new name, or one whose next version is to be made"
            data-autofocus
            openOnFocus={false}
            data={names}
            value={form.model}
            error={errorAt("/model")}
            onChange={(model) => set({ model })}
          />
          <PlaceInput label="Training pictures" hint="It holds one folder per class" value={form.dataset} error={errorAt("/dataset", "/dataset/source", "/dataset/prefix")} onChange={(dataset) => set({ dataset })} />
          <CheckPictures key={JSON.stringify(check)} request={check} />
          <div>
            <Text size="sm" fw={500} mb={4} id="held">Validation pictures</Text>
            <SegmentedControl
              fullWidth
              aria-labelledby="held"
              data={[{ value: "share", label: "A share of them" }, { value: "set", label: "A set of their own" }]}
              value={form.held}
              onChange={(held) => set({ held: held === "set" ? "set" : "share" })}
            />
          </div>
          {form.held === "share" ? (
            <NumberInput label="Share" suffix=" %" placeholder="23 %" min={1} max={90} value={form.share} error={errorAt("/validation", "/validation/fraction")} onChange={(share) => set({ share: typeof share === "number" ? share : "" })} />
          ) : (
            <PlaceInput label="Validation pictures" value={form.validation} error={errorAt("/validation", "/validation/prefix")} onChange={(validation) => set({ validation })} />
          )}
          <Select label="Start from" placeholder="random weights" clearable data={names} value={form.pretrained} error={errorAt("/pretrained")} onChange={(pretrained) => set({ pretrained })} />
          <Select
            label="Network"
            placeholder={form.pretrained === null ? "mobilenet_v2" : "that of the model to start from"}
            clearable
            data={networks.data?.map(({ name }) => name) ?? []}
            value={form.backbone}
            error={errorAt("/backbone")}
            onChange={(backbone) => set({ backbone })}
          />
          <UnstyledButton className={classes.more} aria-expanded={more} onClick={toggle}>
            <IconChevronRight size={16} className={classes.arrow} data-open={more || undefined} aria-hidden /> Advanced
          </UnstyledButton>
          <Collapse expanded={more}><TrainOptions form={form} errorAt={errorAt} onChange={set} /></Collapse>
        </>
      )}
    </SubmitModal>
  );
}
