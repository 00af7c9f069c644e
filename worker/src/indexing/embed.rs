//! The third stage: pictures go through the network in full batches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use lookalike_shared::db::gallery::NewEntry;
use serde_json::Map;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::read::{Prepared, gone};
use super::stages::Stages;
use super::{Done, Target};
use crate::embedding::{Vector, embed};
use crate::inference::Priority;
use crate::runtime::context::{JobContext, JobError};

/// Fewest pictures in a request that is full.
const BATCH: usize = 128;
/// Requests under way: one is answered while the next one waits.
const AHEAD: usize = 2;
/// How long pictures wait for others to fill their batch.
const PATIENCE: Duration = Duration::from_millis(250);

type Answer = AbortOnDropHandle<Result<Vec<NewEntry>, JobError>>;

/// Embeds pictures until there are no more.
///
/// # Errors
/// The device failed.
pub async fn run(
    context: &JobContext,
    target: &Target,
    stages: &Arc<Stages>,
    mut pictures: mpsc::Receiver<Prepared>,
    done: mpsc::Sender<Done>,
) -> Result<(), JobError> {
    let full = BATCH.max(context.services.inference.max_batch());
    let mut batch = Vec::with_capacity(full);
    let mut asked: VecDeque<Answer> = VecDeque::with_capacity(AHEAD);
    let mut open = true;
    while open || !batch.is_empty() || !asked.is_empty() {
        let room = asked.len() < AHEAD;
        if room && (batch.len() >= full || (!open && !batch.is_empty())) {
            asked.push_back(ask(context, target, std::mem::take(&mut batch)));
            continue;
        }
        let wanted = full - batch.len();
        let input = &stages.embed.input;
        tokio::select! {
            biased;
            Some(answer) = first(&mut asked) => {
                asked.pop_front();
                let entries = answer.map_err(|error| JobError::retry("panic", error.to_string()))??;
                stages.embed.output.time(done.send(Done::Entries(entries))).await.map_err(|_| gone())?;
            }
            count = input.time(pictures.recv_many(&mut batch, wanted)), if open && wanted > 0 => {
                open = count > 0;
            }
            () = tokio::time::sleep(PATIENCE), if room && !batch.is_empty() => {
                asked.push_back(ask(context, target, std::mem::take(&mut batch)));
            }
        }
    }
    Ok(())
}

/// The answer that was asked for first, when it is there.
async fn first(
    asked: &mut VecDeque<Answer>,
) -> Option<Result<Result<Vec<NewEntry>, JobError>, tokio::task::JoinError>> {
    match asked.front_mut() {
        Some(answer) => Some(answer.await),
        None => None,
    }
}

fn ask(context: &JobContext, target: &Target, mut batch: Vec<Prepared>) -> Answer {
    let (context, target) = (context.clone(), target.clone());
    AbortOnDropHandle::new(tokio::spawn(async move {
        let pixels: Vec<Vec<u8>> =
            batch.iter_mut().map(|prepared| std::mem::take(&mut prepared.picture.input)).collect();
        let vectors = embed(&context.services.inference, &target.model, pixels, Priority::Bulk).await?;
        Ok(batch.into_iter().zip(vectors).map(|(prepared, vector)| entry(prepared, vector)).collect())
    }))
}

fn entry(prepared: Prepared, vector: Vector) -> NewEntry {
    let Prepared { work, known, bytes, picture } = prepared;
    NewEntry {
        // An object keeps its entry when it changes.
        id: known.map_or_else(Uuid::now_v7, |row| row.entry_id),
        class_id: i32::try_from(vector.class()).unwrap_or_default(),
        uri: work.uri,
        probabilities: vector.probabilities,
        embedding: vector.embedding,
        width: i32::try_from(picture.width).unwrap_or(i32::MAX),
        height: i32::try_from(picture.height).unwrap_or(i32::MAX),
        bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        etag: work.object.etag,
        content_hash: picture.content_hash,
        perceptual_hash: picture.perceptual_hash,
        metadata: Map::new(),
        thumbnail: picture.thumbnail,
    }
}
