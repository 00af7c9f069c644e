// The pictures that were searched with from this page, by the job they became. They live as long as the
// page does; a reload shows the hits without the picture.
const previews = new Map<string, { url: string; picture: File }>();
const MOST = 30;

export function rememberPreview(job: string, url: string, picture: File): void {
  previews.set(job, { url, picture });
  if (previews.size <= MOST) return;
  const [oldest] = previews.entries();
  if (oldest === undefined) return;
  previews.delete(oldest[0]);
  if (![...previews.values()].some(({ url: kept }) => kept === oldest[1].url)) URL.revokeObjectURL(oldest[1].url);
}

export function previewOf(job: string | undefined): { url: string; picture: File } | undefined {
  return job === undefined ? undefined : previews.get(job);
}
