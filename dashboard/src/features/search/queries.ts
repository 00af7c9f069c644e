// Searching with a picture or with an entry that is already indexed, and taking the hits away as a file.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, send, take } from "~/api/client";
import { jobToItsEnd } from "~/features/jobs/queries";
import { cropOf, DEFAULT_K, type SearchParams } from "./params";

export interface Question {
  index: string;
  options: SearchParams;
  /** A picture, the id of an entry of the index, or an object as `source/key`. */
  by: { picture: File } | { entry: string } | { object: string };
}

/** The form that the API takes a search in. */
export function searchForm({ index, options, by }: Question): FormData {
  const form = new FormData();
  form.set("index", index);
  form.set("k", String(options.k ?? DEFAULT_K));
  form.set("probes", options.probes ?? "auto");
  form.set("rank_by", options.rank_by ?? "embedding");
  if (options.min !== undefined) form.set("min_similarity", String(options.min));
  if (options.uri_prefix !== undefined) form.set("filter", JSON.stringify({ uri_prefix: options.uri_prefix }));
  if (options.collapse_duplicates) form.set("collapse_duplicates", "true");
  const crop = cropOf(options.crop);
  if (crop !== null) form.set("crop", JSON.stringify(crop));
  if ("picture" in by) form.set("image", by.picture);
  else if ("entry" in by) form.set("entry_id", by.entry);
  else {
    const end = by.object.indexOf("/");
    form.set("source", by.object.slice(0, end));
    form.set("key", by.object.slice(end + 1));
  }
  return form;
}

/** An entry is known by its vectors, which have no parts: for a part of it, its picture is what is asked with. */
async function withPicture(question: Question): Promise<Question> {
  const { index, options, by } = question;
  if (!("entry" in by) || options.crop === undefined) return question;
  const answer = await send(entryPicture(index, by.entry, "image"), {});
  return { ...question, by: { picture: new File([await answer.blob()], by.entry) } };
}

/** Asks, and waits up to half a minute; the job that is answered may still run then. */
export function useAsk() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (question: Question) => {
      const asked = await withPicture(question);
      return take(api.POST("/v1/jobs/search", {
        headers: { Prefer: "wait=30" },
        body: { index: asked.index },
        bodySerializer: () => searchForm(asked),
      }));
    },
    onSuccess: (job) => client.setQueryData(jobToItsEnd(job.id).queryKey, job),
  });
}

/** Where the pictures of an entry are. */
export function entryPicture(index: string, entry: string, size: "thumbnail" | "image"): string {
  return `/v1/indexes/${encodeURIComponent(index)}/entries/${encodeURIComponent(entry)}/${size}`;
}
