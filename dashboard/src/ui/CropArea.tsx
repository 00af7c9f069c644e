import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from "react";
import type { Crop } from "~/api/types";
import { type Corner, CORNERS, drawn, grown, isSame, moved, type Point, resized, told } from "./crop";
import classes from "./CropArea.module.css";

interface Props {
  src: string;
  alt: string;
  crop: Crop | null;
  /** Whether the part takes the focus when it appears. */
  focus: boolean;
  onCrop: (crop: Crop | null) => void;
  onBroken: () => void;
}

/** What a pointer does to the part: from where, what the part was then, and what has become of it. */
interface Gesture {
  does: Corner | "move" | "draw";
  from: Point;
  before: Crop | null;
  now: Crop | null;
}

const STEP = 0.02;
/** A pointer that went no further than this has clicked. */
const CLICK_PX = 6;
const ARROWS: Record<string, Point> = {
  ArrowLeft: { x: -STEP, y: 0 }, ArrowRight: { x: STEP, y: 0 }, ArrowUp: { x: 0, y: -STEP }, ArrowDown: { x: 0, y: STEP },
};

/** A picture on which a part can be drawn, moved and resized. A finger scrolls the page until there is a part. */
export function CropArea({ src, alt, crop, focus, onCrop, onBroken }: Props) {
  const area = useRef<HTMLDivElement>(null);
  const gesture = useRef<Gesture | null>(null);
  const [shown, setShown] = useState(crop);
  const [given, setGiven] = useState(crop);
  const [ratio, setRatio] = useState<number | null>(null);
  if (!isSame(given, crop)) {
    setGiven(crop);
    setShown(crop);
  }

  function at({ clientX, clientY }: PointerEvent): Point {
    const { left = 0, top = 0, width = 1, height = 1 } = area.current?.getBoundingClientRect() ?? {};
    return { x: (clientX - left) / width, y: (clientY - top) / height };
  }

  function press(event: PointerEvent<HTMLDivElement>) {
    if (event.button !== 0 || (event.pointerType === "touch" && shown === null)) return;
    gesture.current = { does: heldAt(event.target), from: at(event), before: shown, now: shown };
    event.currentTarget.setPointerCapture(event.pointerId);
  }

  function drag(event: PointerEvent) {
    if (gesture.current === null) return;
    const { does, from, before } = gesture.current;
    const to = at(event);
    if (does === "draw") {
      const { width = 1, height = 1 } = area.current?.getBoundingClientRect() ?? {};
      if (Math.hypot((to.x - from.x) * width, (to.y - from.y) * height) > CLICK_PX) gesture.current.now = drawn(from, to);
    } else if (before !== null) {
      gesture.current.now = does === "move" ? moved(before, { x: to.x - from.x, y: to.y - from.y }) : resized(before, does, to);
    }
    setShown(gesture.current.now);
  }

  /** Tells what has become of the part. */
  function settle(now: Crop | null) {
    gesture.current = null;
    setShown(now);
    if (!isSame(now, crop)) onCrop(now);
  }

  function key(event: KeyboardEvent) {
    const by = ARROWS[event.key];
    if (shown !== null && by !== undefined) {
      event.preventDefault();
      setShown(event.shiftKey ? grown(shown, by) : moved(shown, by));
    } else if (["Escape", "Delete", "Backspace"].includes(event.key)) {
      event.preventDefault();
      settle(null);
    }
  }

  return (
    <div
      ref={area}
      className={classes.area}
      data-cropped={shown !== null || undefined}
      style={ratio === null ? undefined : { width: `${Math.min(100, 75 * ratio)}%`, aspectRatio: ratio }}
      onPointerDown={press}
      onPointerMove={drag}
      onPointerUp={() => gesture.current !== null && settle(gesture.current.now)}
      onPointerCancel={() => gesture.current !== null && settle(crop)}
    >
      <img
        src={src}
        alt={alt}
        draggable={false}
        onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => setRatio(naturalWidth / Math.max(1, naturalHeight) || 1)}
        onError={onBroken}
      />
      {shown !== null && <Part crop={shown} focus={focus} onKeyDown={key} onSettle={() => gesture.current === null && settle(shown)} />}
    </div>
  );
}

interface PartProps {
  crop: Crop;
  focus: boolean;
  onKeyDown: (event: KeyboardEvent) => void;
  onSettle: () => void;
}

/** The part as a slider in two directions: such get arrow keys from screen readers too. */
function Part({ crop, focus, onKeyDown, onSettle }: PartProps) {
  const part = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (focus) part.current?.focus({ preventScroll: true });
  }, [focus]);
  return (
    <div
      ref={part}
      className={classes.part}
      role="slider"
      tabIndex={0}
      aria-label="Part of the picture"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(crop.x * 100)}
      aria-valuetext={told(crop)}
      style={{ left: `${crop.x * 100}%`, top: `${crop.y * 100}%`, width: `${crop.width * 100}%`, height: `${crop.height * 100}%` }}
      onKeyDown={onKeyDown}
      onKeyUp={onSettle}
      onBlur={onSettle}
    >
      {CORNERS.map((corner) => <span key={corner} className={classes.corner} data-corner={corner} />)}
    </div>
  );
}

/** What lies under the pointer: a corner, the part, or the picture. */
function heldAt(target: EventTarget): Gesture["does"] {
  if (!(target instanceof HTMLElement)) return "draw";
  const corner = CORNERS.find((each) => each === target.dataset.corner);
  return corner ?? (target.getAttribute("role") === "slider" ? "move" : "draw");
}
