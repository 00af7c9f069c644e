//! What a run tells is stored: rows and progress in the database, checkpoints among the artifacts.
//!
//! A checkpoint is written by a task of its own, so that neither the network that learns nor the answer to a cancel waits
//! for a slow store. One that is overtaken before its turn is not written at all.

use std::time::Instant;

use bytes::Bytes;
use lookalike_shared::db::{DbError, metrics};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;

use super::observer::Message;
use super::record::keep_checkpoint;
use crate::runtime::context::{JobContext, JobError, LogLevel, PROGRESS_INTERVAL};
use crate::runtime::stop::StopReason;

/// Stores what one attempt tells.
pub struct Keeper<'a> {
    context: &'a JobContext,
    told: Instant,
    /// The checkpoint that is being written, and the one to be written next.
    writing: Option<JoinHandle<()>>,
    waiting: Option<Bytes>,
}

impl<'a> Keeper<'a> {
    /// Stores all messages; at the end the last checkpoint is written too.
    ///
    /// # Errors
    /// What the database refuses. A database that cannot be reached is waited for.
    pub async fn keep(context: &'a JobContext, mut messages: Receiver<Message>) -> Result<(), JobError> {
        let told = Instant::now() - PROGRESS_INTERVAL;
        let mut keeper = Self { context, told, writing: None, waiting: None };
        let kept = loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => if let Err(error) = keeper.heed(message).await { break Err(error) },
                    None => break Ok(()),
                },
                () = ended(&mut keeper.writing) => keeper.write_next(),
            }
        };
        while keeper.writing.is_some() {
            ended(&mut keeper.writing).await;
            keeper.write_next();
        }
        kept
    }

    /// Stores a message. An attempt that is to stop is stopped by its token, and the loop ends by itself.
    async fn heed(&mut self, message: Message) -> Result<(), JobError> {
        let (db, job, fence) = (self.context.db(), self.context.attempt.job_id, self.context.attempt.fence);
        match message {
            Message::Progress(progress) => {
                if self.told.elapsed() >= PROGRESS_INTERVAL {
                    self.told = Instant::now();
                    match self.context.progress(&progress).await {
                        Ok(()) | Err(JobError::Stopped) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Message::Steps(rows) => {
                self.store(|| metrics::insert_steps(db, job, fence, &rows)).await?;
            }
            Message::Resumed { epochs, steps } => {
                let epoch = i32::try_from(epochs).unwrap_or(i32::MAX);
                let step = i64::try_from(steps).unwrap_or(i64::MAX);
                self.store(|| metrics::delete_after(db, job, fence, epoch, step)).await?;
            }
            Message::Epoch { epoch, row } => {
                let number = i32::try_from(epoch).unwrap_or(i32::MAX);
                // Epochs after the last checkpoint are done again by a later attempt, and their rows written again: on
                // CPUs with the same figures.
                self.store(|| metrics::insert_epoch(db, job, fence, number, &row)).await?;
            }
            Message::Checkpoint(bytes) => {
                self.waiting = Some(bytes.into());
                if self.writing.is_none() {
                    self.write_next();
                }
            }
            Message::Note(text) => self.context.log(LogLevel::Info, text).await,
        }
        Ok(())
    }

    /// Stores a row, once the database can be reached; not at all when the attempt is to stop before that.
    async fn store<F>(&self, row: impl Fn() -> F) -> Result<(), JobError>
    where
        F: Future<Output = Result<bool, DbError>>,
    {
        match self.context.through_outages(row).await {
            // Whether the job is still ours is told by the lease.
            Ok(_) | Err(JobError::Stopped) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn write_next(&mut self) {
        let context = self.context.clone();
        self.writing = self.waiting.take().map(|bytes| tokio::spawn(write(context, bytes)));
    }
}

/// Ends once what is being written is, and forgets it; never while nothing is.
async fn ended(writing: &mut Option<JoinHandle<()>>) {
    match writing {
        Some(task) => {
            if let Err(error) = task.await {
                tracing::error!(%error, "writing a checkpoint panicked");
            }
            *writing = None;
        }
        None => std::future::pending().await,
    }
}

async fn write(context: JobContext, bytes: Bytes) {
    // Another attempt may be at work already, from a checkpoint of its own.
    if context.stop.reason() == Some(StopReason::Lost) {
        return;
    }
    if let Err(error) = keep_checkpoint(&context, bytes).await {
        context.log(LogLevel::Warn, format!("a checkpoint could not be stored: {error}")).await;
    }
}
