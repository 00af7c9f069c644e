// What a test of a source tells, in words.
import type { Source, SourceTest } from "~/api/types";
import { count, counted } from "~/format/number";
import { duration } from "~/format/time";

/** Where the settings of all buckets of a kind come from. */
const FAMILIES: Record<string, string> = { s3: "AWS_*", gs: "GOOGLE_*", az: "AZURE_*" };

/** How many objects there are, or how many were seen of more. */
export function seen({ objects_seen: objects, complete }: Pick<SourceTest, "objects_seen" | "complete">): string {
  if (objects === 0) return complete ? "Holds nothing" : "Nothing was listed in time";
  return complete ? `Holds ${counted(objects, "object")}` : `Holds more than ${count(objects)} objects`;
}

/** How long it took, in whole milliseconds while they are few. */
export function took(milliseconds: number): string {
  if (milliseconds === 0) return "under 1 ms";
  return milliseconds < 10 ? `${milliseconds} ms` : duration(milliseconds);
}

/** What would help against an error. */
export function remedy(code: string, source: Source): string {
  const isFolder = source.kind === "file";
  switch (code) {
    case "denied":
      return isFolder
        ? "Let the user that the server runs as read this folder and what is in it."
        : `The key must be allowed to list and to read. ${settings(source)}`;
    case "not_found":
      return isFolder ? "Make the folder, or declare the source with another." : `Check the bucket's name, its region and its endpoint. ${settings(source)}`;
    case "storage_unavailable":
      return isFolder
        ? "Is its disk mounted? The server and every worker read it at this path."
        : `Check the endpoint, and that the server reaches it over the network. ${settings(source)}`;
    case "invalid_settings":
      return `${settings(source)} The server reads them when it starts.`;
    case "changed":
      return "Something writes to it at this moment. Test again when that is over.";
    case "invalid_key":
      return "Give the object a name without empty, . or .. parts.";
    default:
      return "Test again; if it stays like this, the server's log tells more.";
  }
}

/** `Its settings are LOOKALIKE_SOURCE_PHOTOS_* or, for all of its kind, AWS_*.` */
function settings({ name, kind }: Source): string {
  const own = `LOOKALIKE_SOURCE_${name.toUpperCase().replaceAll("-", "_")}_*`;
  const family = FAMILIES[kind];
  return family === undefined ? `Its settings are ${own}.` : `Its settings are ${own} or, for all of its kind, ${family}.`;
}
