import { Alert, Button, Group, Modal, Progress, Stack, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { IconAlertTriangle, IconFolderPlus, IconPhotoPlus } from "@tabler/icons-react";
import { type InputHTMLAttributes, useRef, useState } from "react";
import { bytes, counted } from "~/format/number";
import { type Chosen, chosenPictures, folders, uploadPictures } from "./upload";

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const WHOLE_FOLDER = { webkitdirectory: "" } as InputHTMLAttributes<HTMLInputElement>;

interface Props {
  /** The set that is open; another may be named. */
  set: string;
  onClose: () => void;
  onDone: (set: string) => void;
}

/** Puts pictures of this computer into a set of uploads. */
export function UploadModal({ set: open, onClose, onDone }: Props) {
  const [set, setSet] = useState(open);
  const [chosen, setChosen] = useState<Chosen[]>([]);
  const [done, setDone] = useState(0);
  const abort = useRef(new AbortController());
  const client = useQueryClient();
  const upload = useMutation({
    mutationFn: () => uploadPictures(set, chosen, setDone, abort.current.signal),
    onSuccess: ({ stored, refused }) => {
      const [first] = refused;
      const rest = first === undefined ? "" : ` ${counted(refused.length, "file")} refused, such as ${first.path}: ${first.reason}`;
      notifications.show({ color: first === undefined ? "teal" : "orange", message: `${counted(stored, "picture")} stored in ${set}.${rest}` });
      onDone(set);
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["sources"] }),
  });

  function close() {
    abort.current.abort();
    onClose();
  }

  return (
    <Modal opened onClose={close} title={<Text span fw={620} size="lg">Upload pictures</Text>}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setDone(0);
          upload.mutate();
        }}
      >
        <Stack gap="md">
          <TextInput
            label="Set"
            description="A new name makes a new set"
            data-autofocus
            value={set}
            error={set !== "" && !NAME.test(set) ? "Small letters, digits, _ and - only" : undefined}
            onChange={(event) => setSet(event.currentTarget.value)}
          />
          <div>
            <Group gap="xs" grow>
              <Pick icon={<IconFolderPlus size={16} />} label="Choose a folder" whole onPick={setChosen} />
              <Pick icon={<IconPhotoPlus size={16} />} label="Choose pictures" onPick={setChosen} />
            </Group>
            <Text size="sm" c="dimmed" mt={8}>{chosen.length === 0 ? "Of a folder for training, each folder in it is a class." : told(chosen)}</Text>
          </div>
          {upload.isPending && <Progress value={(done / Math.max(1, chosen.length)) * 100} size={8} aria-label={`${done} of ${chosen.length} uploaded`} />}
          {upload.error !== null && <Alert color="red" icon={<IconAlertTriangle size={18} />} role="alert">{upload.error.message}</Alert>}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>{upload.isPending ? "Stop" : "Go back"}</Button>
            <Button type="submit" loading={upload.isPending} disabled={!NAME.test(set) || chosen.length === 0}>Upload</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function told(chosen: Chosen[]): string {
  const size = chosen.reduce((sum, { file }) => sum + file.size, 0);
  const within = folders(chosen);
  return `${counted(chosen.length, "picture")}, ${bytes(size)}${within > 0 ? `, in ${counted(within, "folder")}` : ""}`;
}

interface PickProps {
  icon: React.ReactNode;
  label: string;
  whole?: boolean;
  onPick: (chosen: Chosen[]) => void;
}

function Pick({ icon, label, whole = false, onPick }: PickProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button variant="default" leftSection={icon} onClick={() => input.current?.click()}>{label}</Button>
      <input
        ref={input}
        type="file"
        accept="image/*"
        multiple
        hidden
        {...(whole && WHOLE_FOLDER)}
        onChange={(event) => onPick(chosenPictures(event.currentTarget.files ?? []))}
      />
    </>
  );
}
