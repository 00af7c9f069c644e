import { Box, Grid } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { indexList } from "~/features/indexes/queries";
import { jobToItsEnd } from "~/features/jobs/queries";
import { PageHeader } from "~/ui/PageHeader";
import { searchOf, type SearchParams } from "./params";
import { previewOf, rememberPreview } from "./previews";
import { entryPicture, type Question, useAsk } from "./queries";
import { QueryPanel } from "./QueryPanel";
import { Results } from "./Results";
import classes from "./SearchPage.module.css";

interface Props {
  params: SearchParams;
  onParams: (params: SearchParams, replace: boolean) => void;
}

/** Finds look-alikes of a picture. */
export function SearchPage({ params, onParams }: Props) {
  const indexes = useQuery(indexList);
  const answered = useQuery({ ...jobToItsEnd(params.job ?? ""), enabled: params.job !== undefined });
  const [picture, setPicture] = useState<{ file: File; url: string } | null>(null);
  const ask = useAsk();
  const { ref: query, height } = useElementSize();

  const { entry, object } = params;
  const index = params.index ?? indexes.data?.[0]?.name;
  const kept = previewOf(params.job);
  const file = kept?.picture ?? picture?.file;
  const preview = previewFor();

  function previewFor(): string | null {
    // While a question is open, or was refused, it is what is shown; else what the answer belongs to.
    const by = ask.isPending || ask.isError ? ask.variables.by : undefined;
    if (by !== undefined && "picture" in by) return picture?.url ?? null;
    const shown = by !== undefined && "entry" in by ? by.entry : entry;
    if (kept !== undefined && by === undefined) return kept.url;
    if (shown !== undefined && index !== undefined) return entryPicture(index, shown, "image");
    return params.job === undefined ? (picture?.url ?? null) : null;
  }

  function search(by: Question["by"], options: SearchParams = params, url?: string) {
    if (index === undefined) return;
    ask.mutate({ index, options, by }, {
      onSuccess: (job) => {
        if ("picture" in by && url !== undefined) rememberPreview(job.id, url, by.picture);
        onParams({ ...options, index, entry: "entry" in by ? by.entry : undefined, object: "object" in by ? by.object : undefined, job: job.id }, params.job === undefined);
      },
    });
  }

  function take(chosen: File) {
    const url = URL.createObjectURL(chosen);
    setPicture({ file: chosen, url });
    onParams({ ...params, crop: undefined }, true);
    search({ picture: chosen }, { ...params, crop: undefined, entry: undefined, object: undefined, job: undefined }, url);
  }

  function again() {
    if (entry !== undefined) search({ entry });
    else if (object !== undefined) search({ object });
    else if (file !== undefined) search({ picture: file }, params, kept?.url ?? picture?.url);
  }

  const askAtOnce = useEffectEvent(() => {
    if (params.job === undefined && ask.isIdle && (entry ?? object) !== undefined) again();
  });
  useEffect(() => askAtOnce(), [params.entry, params.object, params.job, index]);

  // An address with a job alone, as other pages link to it, takes over how that job has searched.
  const adopt = useEffectEvent(() => {
    const { job, index: named } = params;
    if (job !== undefined && named === undefined && answered.data !== undefined) onParams(searchOf(job, answered.data.params), true);
  });
  useEffect(() => adopt(), [params.job, answered.data]);

  // A refusal belongs to what was asked then, not to the answer that is shown next.
  const forget = useEffectEvent(() => {
    if (ask.isError) ask.reset();
  });
  useEffect(() => forget(), [params.job]);

  // Where the answer is below the question, it comes into view by itself.
  const answer = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (ask.isSuccess && window.matchMedia("(max-width: 62em)").matches) answer.current?.scrollIntoView({ behavior: "smooth" });
  }, [ask.isSuccess, ask.data]);

  return (
    <>
      <PageHeader name="Search" below="Find look-alikes of any picture." />
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 4, xl: 3 }}>
          <Box ref={query} className={classes.query} style={{ "--height": `${height}px` }}>
            <QueryPanel
              indexes={indexes}
              index={index}
              params={params}
              preview={preview}
              ready={(entry ?? object ?? file) !== undefined}
              busy={ask.isPending}
              onParams={(change) => onParams({ ...params, ...change }, true)}
              onPicture={take}
              onRefused={(reason) => notifications.show({ color: "red", message: reason })}
              onSearch={again}
            />
          </Box>
        </Grid.Col>
        <Grid.Col ref={answer} span={{ base: 12, md: 8, xl: 9 }} style={{ scrollMarginTop: 64 }}>
          <Results
            job={answered.data}
            loading={ask.isPending || (params.job !== undefined && answered.isPending)}
            error={ask.error ?? answered.error}
            index={index}
            onEntry={(id) => search({ entry: id }, { ...params, crop: undefined })}
          />
        </Grid.Col>
      </Grid>
    </>
  );
}
