// The one live-update hook: follows a stream of job events while the component is mounted and the tab is
// visible, and tells how the connection is.
import { useDocumentVisibility } from "@mantine/hooks";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import type { JobEvent } from "~/api/types";
import { type EventType, Stream, type StreamStatus } from "./stream";

/** Follows `url` and hands every event to `onEvent`. A close after an event that `endsAfter` names is the end. */
export function useLive(
  url: string,
  onEvent: (type: EventType, event: JobEvent | null) => void,
  endsAfter?: (type: EventType) => boolean,
): StreamStatus {
  const [status, setStatus] = useState<StreamStatus>("connecting");
  const visible = useDocumentVisibility() === "visible";
  const stream = useRef<Stream | null>(null);
  const receive = useEffectEvent(onEvent);
  const ends = useEffectEvent((type: EventType) => endsAfter?.(type) ?? false);

  useEffect(() => {
    const opened = new Stream({
      url,
      endsAfter: (type) => ends(type),
      onEvent: (type, event) => receive(type, event),
      onStatus: setStatus,
    });
    stream.current = opened;
    return () => {
      stream.current = null;
      opened.stop();
    };
  }, [url]);

  useEffect(() => {
    if (visible) stream.current?.start();
    else stream.current?.pause();
  }, [visible, url]);

  return status;
}
