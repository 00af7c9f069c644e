import { Button, Group, Text, ThemeIcon } from "@mantine/core";
import { IconCrop, IconMaximize, IconPhotoPlus, IconRefresh } from "@tabler/icons-react";
import { type DragEvent, useEffect, useEffectEvent, useRef, useState } from "react";
import type { Crop } from "~/api/types";
import { MIDDLE } from "./crop";
import { CropArea } from "./CropArea";
import { Key } from "./Key";
import classes from "./PictureDrop.module.css";

interface Props {
  /** What is shown: the picture chosen before. */
  preview: string | null;
  /** The part of it that counts; all of it when null. */
  crop: Crop | null;
  onCrop: (crop: Crop | null) => void;
  onPicture: (picture: File) => void;
  onRefused: (reason: string) => void;
}

/** Takes a picture: dropped on it, pasted anywhere on the page, or chosen from the disk. Then takes a part of it. */
export function PictureDrop({ preview, crop, onCrop, onPicture, onRefused }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const part = useRef<HTMLButtonElement>(null);
  const [over, setOver] = useState(false);
  const [begun, setBegun] = useState(false);
  const [broken, setBroken] = useState<string | null>(null);

  function offer(files: FileList | null | undefined) {
    const file = files?.[0];
    if (file === undefined) return;
    if (file.type !== "" && !file.type.startsWith("image/")) onRefused(`${file.name} is not a picture.`);
    else onPicture(file);
  }

  usePaste(offer);

  function begin() {
    setBegun(true);
    onCrop(MIDDLE);
  }

  function take(next: Crop | null) {
    setBegun(false);
    onCrop(next);
    // The part is gone, and what it was begun with has the focus again.
    if (next === null) part.current?.focus();
  }

  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    offer(event.dataTransfer.files);
  }

  const dropping = {
    "data-over": over || undefined,
    onDragOver(event: DragEvent) {
      event.preventDefault();
      setOver(true);
    },
    onDragLeave: () => setOver(false),
    onDrop: drop,
  };
  const choose = () => input.current?.click();
  const shown = preview !== null && preview !== broken;
  return (
    <div>
      {shown ? (
        <div className={classes.drop} data-filled {...dropping}>
          <CropArea key={preview} src={preview} alt="The picture that is searched with" crop={crop} focus={begun} onCrop={take} onBroken={() => setBroken(preview)} />
        </div>
      ) : (
        <button type="button" className={classes.drop} aria-label="Choose a picture, or drop or paste one" onClick={choose} {...dropping}><Invitation /></button>
      )}
      {(shown || crop !== null) && (
        <Group gap={8} mt={8}>
          {crop === null
            ? <Button ref={part} size="xs" variant="default" leftSection={<IconCrop size={15} />} onClick={begin}>Select a part</Button>
            : <Button ref={part} size="xs" variant="default" leftSection={<IconMaximize size={15} />} onClick={() => take(null)}>Whole picture</Button>}
          {shown && <Button size="xs" variant="default" leftSection={<IconRefresh size={15} />} onClick={choose}>Replace</Button>}
        </Group>
      )}
      {crop !== null && (
        <Text size="xs" c="dimmed" mt={6} role="status">
          Only this part of the picture is searched with. <span className={classes.keys}>Arrow keys move it, with Shift they resize it.</span>
        </Text>
      )}
      <input
        ref={input}
        type="file"
        accept="image/*"
        hidden
        onChange={(event) => {
          offer(event.currentTarget.files);
          event.currentTarget.value = "";
        }}
      />
    </div>
  );
}

function Invitation() {
  return (
    <span className={classes.invitation}>
      <ThemeIcon variant="light" size={48} radius="xl" aria-hidden><IconPhotoPlus size={24} /></ThemeIcon>
      <Text span fw={600}>Drop a picture here</Text>
      <Text span size="sm" c="dimmed">or click to choose one</Text>
      <Group component="span" gap={5} justify="center" className={classes.paste}>
        <Text span size="sm" c="dimmed">or paste with</Text><Key>Ctrl</Key><Key>V</Key>
      </Group>
    </span>
  );
}

function usePaste(onFiles: (files: FileList | undefined) => void): void {
  const take = useEffectEvent(onFiles);
  useEffect(() => {
    const listen = (event: ClipboardEvent) => {
      if ((event.clipboardData?.files.length ?? 0) > 0) take(event.clipboardData?.files);
    };
    document.addEventListener("paste", listen);
    return () => document.removeEventListener("paste", listen);
  }, []);
}
