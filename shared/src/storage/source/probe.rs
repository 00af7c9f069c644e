//! Finding out whether a source can be read, in a few seconds.

use std::time::{Duration, Instant};

use futures::TryStreamExt;

use super::{Object, Place, Source, StorageError};
use crate::storage::open::Patience;

/// The most objects that are listed.
const OBJECTS: u64 = 1_000;
/// The longest that they are listed for.
const LISTING: Duration = Duration::from_secs(5);
/// The longest that all of it takes.
const WHOLE: Duration = Duration::from_secs(10);
/// Bytes that are read of one object.
const START: u64 = 1_024;

/// What was found out about a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Objects that were listed.
    pub objects_seen: u64,
    /// Whether these are all.
    pub complete: bool,
    /// The object whose first bytes were read.
    pub sample: Option<Object>,
    /// How long it took.
    pub took: Duration,
    /// What went wrong, if anything did.
    pub error: Option<StorageError>,
}

impl Source {
    /// Lists the first objects and reads the beginning of one, with little patience: a store that does not answer is
    /// told of within seconds.
    pub async fn probe(&self) -> Probe {
        let begun = Instant::now();
        let mut probe =
            Probe { objects_seen: 0, complete: false, sample: None, took: Duration::ZERO, error: None };
        let looked = tokio::time::timeout(WHOLE, self.look(&mut probe)).await;
        let late = || StorageError::Store {
            source_name: self.name.clone(),
            reason: format!("no answer within {} s", WHOLE.as_secs()),
        };
        probe.error = looked.unwrap_or_else(|_| Err(late())).err();
        probe.took = begun.elapsed();
        probe
    }

    async fn look(&self, probe: &mut Probe) -> Result<(), StorageError> {
        let this = self.impatient()?;
        let begun = Instant::now();
        let mut objects = this.list("")?;
        while let Some(object) = objects.try_next().await? {
            probe.objects_seen += 1;
            if probe.sample.is_none() && !object.is_unreadable() {
                probe.sample = Some(object);
            }
            if probe.objects_seen >= OBJECTS || begun.elapsed() >= LISTING {
                // Whether there is one more.
                probe.complete = objects.try_next().await?.is_none();
                break;
            }
        }
        probe.complete |= probe.objects_seen < OBJECTS && begun.elapsed() < LISTING;
        if let Some(sample) = &probe.sample {
            this.get_start(&sample.key, START).await?;
        }
        Ok(())
    }

    /// The same source, opened anew to be asked with little patience.
    fn impatient(&self) -> Result<Self, StorageError> {
        let Place::Bucket { opening, .. } = &self.place else { return Ok(self.clone()) };
        let problem = |reason| StorageError::Open { problems: vec![reason] };
        let (bucket, _) = opening.open(Patience::Little).map_err(problem)?;
        Ok(Self { place: Place::Bucket { bucket, opening: opening.clone() }, ..self.clone() })
    }
}
