//! Requests that are answered together: their pictures go through the network as one stream.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::engine::{Answers, EngineError, EngineInfo, Feed, ModelSpec};
use crate::network::Pictures;

/// One request and where its answer goes.
pub(super) struct Request {
    pub model: Arc<ModelSpec>,
    pub work: Work,
}

pub(super) enum Work {
    Embed { pictures: Pictures, answer: oneshot::Sender<Result<Answers, EngineError>> },
    Prepare { answer: oneshot::Sender<Result<EngineInfo, EngineError>> },
}

/// Jobs of one kind can share batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    model: Uuid,
    side: usize,
}

impl Kind {
    fn of(model: &ModelSpec, pictures: &Pictures) -> Self {
        Self { model: model.id, side: pictures.side() }
    }
}

/// A request for answers that is under way.
pub(super) struct Job {
    pub model: Arc<ModelSpec>,
    pub pictures: Pictures,
    answer: oneshot::Sender<Result<Answers, EngineError>>,
    /// How many of its pictures the engine has been given.
    given: usize,
    /// Answers for the first pictures.
    answers: Answers,
}

impl Job {
    pub fn new(
        model: Arc<ModelSpec>,
        pictures: Pictures,
        answer: oneshot::Sender<Result<Answers, EngineError>>,
    ) -> Self {
        Self { model, pictures, answer, given: 0, answers: Answers::default() }
    }

    /// What tells whether another job can share its batches.
    pub fn kind(&self) -> Kind {
        Kind::of(&self.model, &self.pictures)
    }

    /// Whether nobody waits for the answer any more.
    pub fn is_withdrawn(&self) -> bool {
        self.answer.is_closed()
    }

    /// Tells why there is no answer.
    pub fn fail(self, error: EngineError) {
        // Nobody waits any more when the sending fails, here and below.
        drop(self.answer.send(Err(error)));
    }

    /// What the engine was given and has not answered will be given again.
    pub fn restart(&mut self) {
        self.given = self.answers.len();
    }

    /// Pictures that the engine is still to be given.
    fn left(&self) -> usize {
        if self.is_withdrawn() { 0 } else { self.pictures.len() - self.given }
    }

    fn next(&mut self, most: usize) -> Option<Pictures> {
        let next = self.pictures.slice(self.given, most.min(self.left()));
        self.given += next.len();
        (!next.is_empty()).then_some(next)
    }

    fn is_over(&self) -> bool {
        self.left() == 0 && self.answers.len() == self.given
    }

    fn finish(self) {
        drop(self.answer.send(Ok(self.answers)));
    }
}

/// Jobs that can share batches, as an engine is fed with them.
pub(super) struct Requests<'a> {
    /// Jobs without all of their answers, the oldest first.
    pub jobs: &'a mut VecDeque<Job>,
    /// Most pictures in a batch.
    pub max_batch: usize,
    /// Where further jobs come from; none for searches.
    pub intake: Option<Intake<'a>>,
}

/// Bulk requests that come while others are answered.
pub(super) struct Intake<'a> {
    /// Model and size of the jobs that are taken in.
    pub kind: Kind,
    /// The engine gets nothing more as soon as a search waits.
    pub searches: &'a mpsc::Receiver<Request>,
    pub bulks: &'a mut mpsc::Receiver<Request>,
    /// A request that came and is of another kind: it is next.
    pub held: &'a mut Option<Request>,
}

impl Intake<'_> {
    /// The next request when it is of this kind.
    fn take(&mut self) -> Option<Job> {
        if self.held.is_some() {
            return None;
        }
        match self.bulks.try_recv().ok()? {
            Request { model, work: Work::Embed { pictures, answer } }
                if Kind::of(&model, &pictures) == self.kind =>
            {
                Some(Job::new(model, pictures, answer))
            }
            other => {
                *self.held = Some(other);
                None
            }
        }
    }
}

impl Requests<'_> {
    /// Whether every picture that was given has its answer.
    pub fn are_answered(&self) -> bool {
        self.jobs.iter().all(|job| job.given == job.answers.len())
    }

    /// Ends the jobs in front that have all of their answers.
    pub fn settle(&mut self) {
        while let Some(job) = self.jobs.pop_front_if(|job| job.is_over()) {
            job.finish();
        }
    }

    /// The next pictures of all jobs, `most` at most, a part for each.
    fn parts(&mut self, most: usize) -> Vec<Pictures> {
        let (mut parts, mut found) = (Vec::new(), 0);
        for job in &mut *self.jobs {
            let part = job.next(most - found);
            found += part.as_ref().map_or(0, Pictures::len);
            parts.extend(part);
        }
        parts
    }
}

impl Feed for Requests<'_> {
    fn next(&mut self, most: usize) -> Option<Pictures> {
        let most = most.min(self.max_batch);
        if let Some(intake) = &mut self.intake {
            if !intake.searches.is_empty() {
                return None;
            }
            let left = |jobs: &VecDeque<Job>| jobs.iter().map(Job::left).sum::<usize>();
            while left(self.jobs) < most
                && let Some(job) = intake.take()
            {
                self.jobs.push_back(job);
            }
        }
        let mut parts = self.parts(most);
        match parts.len() {
            0 | 1 => parts.pop(),
            _ => Some(Pictures::joined(&parts)),
        }
    }

    fn answer(&mut self, mut answers: Answers) {
        for job in &mut *self.jobs {
            let count = job.given - job.answers.len();
            job.answers.append(answers.take(count));
        }
        assert!(answers.is_empty(), "an engine answers what it was given");
        self.settle();
    }
}
