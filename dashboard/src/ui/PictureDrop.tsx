import { Group, Text, ThemeIcon } from "@mantine/core";
import { IconPhotoPlus, IconRefresh } from "@tabler/icons-react";
import { type DragEvent, useEffect, useEffectEvent, useRef, useState } from "react";
import classes from "./PictureDrop.module.css";
import { Key } from "./Key";

interface Props {
  /** What is shown: the picture chosen before. */
  preview: string | null;
  onPicture: (picture: File) => void;
  onRefused: (reason: string) => void;
}

/** Takes a picture: dropped on it, pasted anywhere on the page, or chosen from the disk. */
export function PictureDrop({ preview, onPicture, onRefused }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [broken, setBroken] = useState<string | null>(null);

  function offer(files: FileList | null | undefined) {
    const file = files?.[0];
    if (file === undefined) return;
    if (file.type !== "" && !file.type.startsWith("image/")) onRefused(`${file.name} is not a picture.`);
    else onPicture(file);
  }

  usePaste(offer);

  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    offer(event.dataTransfer.files);
  }

  const shown = preview !== null && preview !== broken;
  return (
    <>
      <button
        type="button"
        className={classes.drop}
        data-over={over || undefined}
        data-filled={shown || undefined}
        aria-label={shown ? "Choose another picture" : "Choose a picture, or drop or paste one"}
        onClick={() => input.current?.click()}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        {shown ? (
          <>
            <img src={preview} alt="The picture that is searched with" onError={() => setBroken(preview)} />
            <span className={classes.replace}><IconRefresh size={14} /> Replace</span>
          </>
        ) : <Invitation />}
      </button>
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
    </>
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
