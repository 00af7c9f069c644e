//! Turns many small calls into few large ones.
//!
//! Callers hand in one item each and wait for its answer; whatever came together while the last call was under
//! way goes out as one. So a lone caller waits for nobody, and the more callers there are the larger the calls.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

/// A handle to a batching task; clones share it. The task ends when the last handle is dropped.
pub struct Batcher<I, O> {
    queue: mpsc::Sender<(I, oneshot::Sender<O>)>,
}

impl<I, O> Clone for Batcher<I, O> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<I: Send + 'static, O: Send + 'static> Batcher<I, O> {
    /// Starts a task that calls `work` with 1 to `largest` items at a time. `work` gives an answer per item, in
    /// order; an item without one is told so.
    pub fn start<F, W>(largest: usize, mut work: W) -> Self
    where
        W: FnMut(Vec<I>) -> F + Send + 'static,
        F: Future<Output = Vec<O>> + Send,
    {
        let (queue, mut waiting) = mpsc::channel(largest * 4);
        tokio::spawn(async move {
            let mut together = Vec::with_capacity(largest);
            while waiting.recv_many(&mut together, largest).await > 0 {
                gather(&mut waiting, &mut together, largest).await;
                let (items, callers): (Vec<_>, Vec<oneshot::Sender<O>>) = together.drain(..).unzip();
                for (caller, answer) in callers.into_iter().zip(work(items).await) {
                    // A caller that left needs no answer.
                    _ = caller.send(answer);
                }
            }
        });
        Self { queue }
    }

    /// Hands in an item and waits for its answer. None when the task is gone or gave none.
    pub async fn call(&self, item: I) -> Option<O> {
        let (sender, answer) = oneshot::channel();
        self.queue.send((item, sender)).await.ok()?;
        answer.await.ok()
    }
}

/// Lets those that are about to ask do so, for as long as another one does every time.
async fn gather<T>(waiting: &mut mpsc::Receiver<T>, together: &mut Vec<T>, largest: usize) {
    let mut before = 0;
    while before < together.len() && together.len() < largest {
        before = together.len();
        tokio::task::yield_now().await;
        while together.len() < largest
            && let Ok(item) = waiting.try_recv()
        {
            together.push(item);
        }
    }
}

/// The answer to each of so many items when what was asked for all of them failed.
pub fn refuse_all<T, E>(count: usize, error: E) -> Vec<Result<T, Arc<E>>> {
    let error = Arc::new(error);
    (0..count).map(|_| Err(error.clone())).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn calls_that_wait_together_go_out_as_one() {
        let gate = Arc::new(Semaphore::new(0));
        let calls = Arc::new(AtomicUsize::new(0));
        let (held, counted) = (gate.clone(), calls.clone());
        let batcher = Batcher::start(100, move |items: Vec<u32>| {
            let (gate, calls) = (held.clone(), counted.clone());
            async move {
                calls.fetch_add(1, Ordering::SeqCst);
                let _permit = gate.acquire().await.unwrap();
                items.into_iter().map(|item| item * 2).collect()
            }
        });
        let answers = join_all((0..50).map(|item| {
            let batcher = batcher.clone();
            async move { batcher.call(item).await }
        }));
        let (answers, ()) = tokio::join!(answers, async { gate.add_permits(1_000) });
        assert_eq!(answers, (0..50).map(|item| Some(item * 2)).collect::<Vec<_>>());
        assert!(calls.load(Ordering::SeqCst) <= 3);
    }

    #[tokio::test]
    async fn a_call_without_an_answer_is_told_so() {
        let batcher: Batcher<u32, u32> = Batcher::start(4, |_| async { Vec::new() });
        assert_eq!(batcher.call(1).await, None);
    }
}
