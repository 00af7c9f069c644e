//! Reports on the labelled sets of a training before anybody trains on them.
//!
//! What is checked is what a training checks, by the same functions; nothing of it makes the job fail but a set that
//! holds nothing. Pixels are not kept: what size they would be kept at, only the training knows.

use lookalike_shared::jobs::{Dataset, Validate};

use crate::dataset::cache::Reading;
use crate::dataset::{ListedSet, ReadFiles, Reader, Report, Seen, Sets, suggest_size, unreadable};
use crate::runtime::context::{JobContext, JobError, JobOutcome};

/// Reads every picture and reports.
pub async fn run(context: JobContext) -> Result<JobOutcome, JobError> {
    let payload: Validate = context.payload()?;
    let network =
        payload.network().map_err(|unknown| JobError::permanent("unknown_backbone", unknown.to_string()))?;
    let place = Dataset { source: payload.source, prefix: payload.prefix };
    let sets = Sets::list(context.storage(), &place, payload.validation.as_ref()).await?;
    let suggested = suggest_size(&sets.dataset.source, &sets.dataset.listing.files, network).await?;
    let mut reading = Reading::of(sets.len());
    let train = look_at(&context, &sets.dataset, &mut reading).await?;
    let validation = match &sets.validation {
        Some(set) => look_at(&context, set, &mut reading).await?,
        None => Vec::new(),
    };
    let report = Report::of(&sets, train, validation, suggested, payload.min_images_per_class);
    Ok(JobOutcome::Result(serde_json::to_value(report).expect("a report is plain data")))
}

/// What is to be known of every file of a set; what cannot be read becomes items.
async fn look_at(
    context: &JobContext,
    set: &ListedSet,
    reading: &mut Reading,
) -> Result<ReadFiles, JobError> {
    let mut read = Vec::with_capacity(set.listing.len());
    let mut reader = Reader::new(context, set.source.clone(), set.listing.files.clone(), Seen::of);
    while let Some(batch) = reader.next().await? {
        reading
            .advance(context, batch.len(), &unreadable(batch.iter().map(|(file, read)| (file, read))))
            .await?;
        read.extend(batch.into_iter().map(|(_, seen)| seen));
    }
    Ok(read)
}
