//! The inference thread: which requests come next, and which go together.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::models::Models;
use super::requests::{Intake, Job, Request, Requests, Work};

pub(super) struct DeviceThread {
    models: Models,
    max_batch: usize,
    searches: mpsc::Receiver<Request>,
    bulks: mpsc::Receiver<Request>,
    /// Searches in the order in which they came.
    waiting: VecDeque<Job>,
    /// Bulk jobs under way, all of one kind.
    bulk: VecDeque<Job>,
    /// The bulk request after them.
    held: Option<Request>,
}

impl DeviceThread {
    pub fn new(
        models: Models,
        max_batch: usize,
        searches: mpsc::Receiver<Request>,
        bulks: mpsc::Receiver<Request>,
    ) -> Self {
        let (waiting, bulk) = (VecDeque::new(), VecDeque::new());
        Self { models, max_batch: max_batch.max(1), searches, bulks, waiting, bulk, held: None }
    }

    /// Serves requests until every handle is gone.
    pub async fn run(mut self) {
        loop {
            while let Ok(request) = self.searches.try_recv() {
                self.accept(request, true);
            }
            if !self.waiting.is_empty() {
                self.search();
            } else if !self.bulk.is_empty() {
                self.advance();
            } else if let Some(request) = self.held.take() {
                self.accept(request, false);
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
                let jobs = if search { &mut self.waiting } else { &mut self.bulk };
                jobs.push_back(Job::new(model, pictures, answer));
            }
        }
    }

    /// One batch for the oldest search and the others that wait for the same model, as many as fit.
    fn search(&mut self) {
        let Some(first) = self.waiting.pop_front() else { return };
        let kind = first.kind();
        let mut pictures = first.pictures.len();
        let (mut together, mut others) = (VecDeque::from([first]), VecDeque::new());
        for job in self.waiting.drain(..) {
            let fits = pictures + job.pictures.len() <= self.max_batch;
            if fits && job.kind() == kind {
                pictures += job.pictures.len();
                together.push_back(job);
            } else {
                others.push_back(job);
            }
        }
        self.waiting = others;
        let requests = Requests { jobs: &mut together, max_batch: self.max_batch, intake: None };
        answer(&mut self.models, requests);
    }

    /// Answers bulk jobs, and further ones that go with them, until there are none or a search comes.
    fn advance(&mut self) {
        let Some(first) = self.bulk.front() else { return };
        let intake = Intake {
            kind: first.kind(),
            searches: &self.searches,
            bulks: &mut self.bulks,
            held: &mut self.held,
        };
        let requests = Requests { jobs: &mut self.bulk, max_batch: self.max_batch, intake: Some(intake) };
        answer(&mut self.models, requests);
    }
}

/// Answers jobs together. When that fails each is tried alone, so that none pays for another.
fn answer(models: &mut Models, mut requests: Requests<'_>) {
    requests.settle();
    let Some(model) = requests.jobs.front().map(|job| job.model.clone()) else { return };
    let ran = models.run(&model, &mut requests);
    requests.settle();
    let Err(error) = ran else { return };
    let max_batch = requests.max_batch;
    let (last, others) = (requests.jobs.pop_back(), std::mem::take(requests.jobs));
    match last {
        Some(only) if others.is_empty() => only.fail(error),
        last => others.into_iter().chain(last).for_each(|mut job| {
            job.restart();
            let mut alone = VecDeque::from([job]);
            answer(models, Requests { jobs: &mut alone, max_batch, intake: None });
        }),
    }
}
