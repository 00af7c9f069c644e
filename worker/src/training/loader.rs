//! Batches made ahead: while the device learns from one, a thread of its own makes the next.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::batches::{Batch, Batches};

/// Batches that wait for the device, at most.
const AHEAD: usize = 2;

/// The batches of the rest of an epoch, in order.
pub(super) struct Loader {
    batches: Receiver<Batch>,
    waited: Duration,
}

impl Loader {
    /// Starts making the batches of an epoch from step `first` on. The thread ends with the epoch, or when the loader
    /// is dropped.
    pub fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        batches: &'env Batches<'env>,
        order: &'env [usize],
        epoch: u32,
        first: u32,
    ) -> Self {
        let (sender, receiver) = sync_channel(AHEAD);
        scope.spawn(move || {
            for step in first..batches.steps() {
                if sender.send(batches.batch(order, epoch, step)).is_err() {
                    break;
                }
            }
        });
        Self { batches: receiver, waited: Duration::ZERO }
    }

    /// The next batch; the thread that trains waits for it only when making batches takes longer than learning.
    pub fn next(&mut self) -> Option<Batch> {
        let asked = Instant::now();
        let batch = self.batches.recv().ok();
        self.waited += asked.elapsed();
        batch
    }

    /// How long the device had nothing to do for want of a batch.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}
