// Putting pictures of this computer into a set of uploads, a few at a time.
import { ApiError, send } from "~/api/client";

const AT_ONCE = 3;

/** A file and where in the set it goes. */
export interface Chosen {
  file: File;
  path: string;
}

export interface Uploaded {
  stored: number;
  refused: { path: string; reason: string }[];
}

/** The pictures of what was chosen. The folder itself is left out of their paths, so that its folders are the classes. */
export function chosenPictures(files: Iterable<File>): Chosen[] {
  return [...files]
    .filter((file) => file.type.startsWith("image/"))
    .map((file) => ({ file, path: file.webkitRelativePath === "" ? file.name : file.webkitRelativePath.split("/").slice(1).join("/") }));
}

/** How many folders the paths lie in. */
export function folders(chosen: Chosen[]): number {
  return new Set(chosen.map(({ path }) => path.slice(0, path.lastIndexOf("/") + 1)).filter((folder) => folder !== "")).size;
}

/** Stores `chosen` in the set; `onProgress` hears how many are through. A file that is refused does not stop the others. */
export async function uploadPictures(set: string, chosen: Chosen[], onProgress: (done: number) => void, signal: AbortSignal): Promise<Uploaded> {
  const waiting = [...chosen];
  const uploaded: Uploaded = { stored: 0, refused: [] };
  async function work() {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        await send(address(set, next.path), { method: "PUT", body: next.file, headers: { "content-type": "application/octet-stream" }, signal });
        uploaded.stored += 1;
      } catch (error) {
        if (!(error instanceof ApiError) || error.isTransient || error.status === 401 || error.status === 403) throw error;
        uploaded.refused.push({ path: next.path, reason: error.message });
      }
      onProgress(uploaded.stored + uploaded.refused.length);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return uploaded;
}

function address(set: string, path: string): string {
  return `/v1/uploads/${encodeURIComponent(set)}/${path.split("/").map(encodeURIComponent).join("/")}`;
}
