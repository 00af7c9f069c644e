//! The inference thread: which request comes next, and in which batch.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::engine::{Answers, EngineError, EngineInfo, ModelSpec};
use super::models::Models;
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

/// A request for answers that is under way.
struct Job {
    model: Arc<ModelSpec>,
    pictures: Pictures,
    answer: oneshot::Sender<Result<Answers, EngineError>>,
    /// Answers for the first pictures.
    answers: Answers,
}

pub(super) struct DeviceThread {
    models: Models,
    max_batch: usize,
    searches: mpsc::Receiver<Request>,
    bulks: mpsc::Receiver<Request>,
    /// Searches in the order in which they came.
    waiting: VecDeque<Job>,
    bulk: Option<Job>,
}

impl DeviceThread {
    pub fn new(
        models: Models,
        max_batch: usize,
        searches: mpsc::Receiver<Request>,
        bulks: mpsc::Receiver<Request>,
    ) -> Self {
        let max_batch = max_batch.max(1);
        Self { models, max_batch, searches, bulks, waiting: VecDeque::new(), bulk: None }
    }

    /// Serves requests until every handle is gone.
    pub async fn run(mut self) {
        loop {
            while let Ok(request) = self.searches.try_recv() {
                self.accept(request, true);
            }
            if !self.waiting.is_empty() {
                self.search();
            } else if let Some(job) = self.bulk.take() {
                self.bulk = self.advance(job);
            } else {
                let (request, search) = tokio::select! {
                    biased;
                    Some(request) = self.searches.recv() => (request, true),
                    Some(request) = self.bulks.recv() => (request, false),
                    else => return,
                };
                self.accept(request, search);
            }
        }
    }

    fn accept(&mut self, request: Request, search: bool) {
        let Request { model, work } = request;
        match work {
            // Nobody waits any more when the sending fails.
            Work::Prepare { answer } => drop(answer.send(self.models.prepare(&model))),
            Work::Embed { pictures, answer } => {
                let job = Job { model, pictures, answer, answers: Answers::default() };
                if search {
                    self.waiting.push_back(job);
                } else {
                    self.bulk = Some(job);
                }
            }
        }
    }

    /// One batch for the oldest search and the others that wait for the same model, as many as fit.
    fn search(&mut self) {
        let Some(first) = self.waiting.pop_front() else { return };
        let mut pictures = first.pictures.len();
        let mut together = vec![first];
        let mut others = VecDeque::new();
        for job in self.waiting.drain(..) {
            let fits = pictures + job.pictures.len() <= self.max_batch;
            if fits && together[0].goes_with(&job) {
                pictures += job.pictures.len();
                together.push(job);
            } else {
                others.push_back(job);
            }
        }
        self.waiting = others;
        together.retain(|job| !job.answer.is_closed());
        if together.len() > 1 {
            self.share(together);
        } else if let Some(job) = together.pop() {
            self.finish(job);
        }
    }

    /// Answers several requests by one batch. When it fails each is tried alone, so that none pays for another.
    fn share(&mut self, jobs: Vec<Job>) {
        let mut pixels = Vec::new();
        jobs.iter().for_each(|job| pixels.extend_from_slice(&job.pictures.pixels()));
        let pictures = Pictures::new(jobs[0].pictures.side(), pixels).expect("whole pictures side by side");
        match self.models.embed(&jobs[0].model, &pictures, &|| false) {
            Ok(answers) => {
                let mut first = 0;
                for job in jobs {
                    let count = job.pictures.len();
                    drop(job.answer.send(Ok(answers.part(first, count))));
                    first += count;
                }
            }
            Err(_) => jobs.into_iter().for_each(|job| self.finish(job)),
        }
    }

    /// Answers a request to its end.
    fn finish(&mut self, job: Job) {
        let mut job = Some(job);
        while let Some(unfinished) = job {
            job = self.advance(unfinished);
        }
    }

    /// Answers the next pictures of a request until a search comes; gives it back when more is to be done.
    fn advance(&mut self, mut job: Job) -> Option<Job> {
        if job.answer.is_closed() {
            return None;
        }
        let left = job.pictures.slice(job.answers.len(), job.pictures.len());
        let interrupted = || !self.searches.is_empty() || job.answer.is_closed();
        match self.models.embed(&job.model, &left, &interrupted) {
            Ok(answers) => job.answers.append(answers),
            Err(error) => {
                drop(job.answer.send(Err(error)));
                return None;
            }
        }
        if job.answers.len() < job.pictures.len() {
            return Some(job);
        }
        drop(job.answer.send(Ok(job.answers)));
        None
    }
}

impl Job {
    fn goes_with(&self, other: &Self) -> bool {
        self.model.id == other.model.id && self.pictures.side() == other.pictures.side()
    }
}
