//! The queue before the writer: group commit.
//!
//! Callers put jobs into a bounded queue and wait. One thread takes everything that waits, runs it in one transaction,
//! commits once, and only then answers everybody. There is no artificial delay: while one batch is on its way to the
//! disk, the next one gathers. Where several are at work, the thread first lets those on its core go on that are ready:
//! they put their jobs into the same batch. What a transaction is, each database says for itself ([`Writes`]).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chatward_message::{CustomerId, Event, TenantId, UnixMillis};
use tokio::sync::oneshot;

use crate::StoreError;
use crate::log::Bell;
use crate::record::Changes;
use crate::retention::{Rewrite, Sweep, Swept};
use crate::rows::{CloseTurn, Deleted, OpenTurn, Receipt};

/// Sealed bytes that may wait in the queue.
const QUEUE_BYTES: usize = 64 << 20;

/// One thing to do in a transaction (or, for [`Job::Truncate`] and [`Job::Settle`], between two). Events stand in it as leaves. Of the records that
/// ended, `most` are dropped at once.
#[derive(Debug)]
pub(crate) enum Job {
    Open {
        turn: Box<OpenTurn>,
        leaf: Vec<u8>,
    },
    Close {
        turn: Box<CloseTurn>,
        leaf: Vec<u8>,
    },
    Append {
        leaves: Vec<Vec<u8>>,
    },
    Change {
        changes: Box<Changes>,
        leaves: Vec<Vec<u8>>,
    },
    Delete {
        tenant: TenantId,
        customer: CustomerId,
        event: Box<Event>,
    },
    DropEnded {
        tenant: TenantId,
        now: UnixMillis,
        most: u32,
    },
    Sweep {
        sweep: Box<Sweep>,
    },
    Rewrite {
        rewrite: Box<Rewrite>,
        leaves: Vec<Vec<u8>>,
    },
    Truncate,
    /// Empties the write-ahead log and holds the file still from then on, for a backup.
    Settle,
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Self::Open { turn, leaf } => {
                leaf.len()
                    + turn.received.as_bytes().len()
                    + turn.issued.as_ref().map_or(0, |issued| issued.sealed.as_bytes().len())
            }
            Self::Close { turn, leaf } => leaf.len() + turn.reply.as_ref().map_or(0, |r| r.as_bytes().len()),
            Self::Append { leaves } => leaves.iter().map(Vec::len).sum(),
            Self::Change { changes, leaves } => {
                let sealed = changes.puts.iter().map(|put| put.record.sealed.as_bytes().len());
                leaves.iter().map(Vec::len).chain(sealed).sum()
            }
            Self::Rewrite { rewrite, leaves } => {
                leaves.iter().map(Vec::len).sum::<usize>()
                    + rewrite.to.as_ref().map_or(0, |to| to.sealed.as_bytes().len())
            }
            Self::Delete { .. }
            | Self::DropEnded { .. }
            | Self::Sweep { .. }
            | Self::Truncate
            | Self::Settle => 0,
        }
    }

    /// In whose house it adds rows, if it does.
    pub(crate) fn adds_to(&self) -> Option<&TenantId> {
        match self {
            Self::Open { turn, .. } => Some(&turn.tenant),
            Self::Change { changes, .. } => Some(&changes.tenant),
            Self::Close { .. }
            | Self::Append { .. }
            | Self::Delete { .. }
            | Self::DropEnded { .. }
            | Self::Sweep { .. }
            | Self::Rewrite { .. }
            | Self::Truncate
            | Self::Settle => None,
        }
    }
}

/// What a job gives.
#[derive(Debug)]
pub(crate) enum Done {
    Receipt(Receipt),
    Changed(Option<Receipt>),
    Deleted(Deleted),
    Dropped(u64),
    Swept(Swept),
    Truncated(bool),
    /// The number under which the file is held still; none if somebody was in the way.
    Settled(Option<u64>),
}

type Answer = oneshot::Sender<Result<Done, StoreError>>;

/// The queue and the figures: what callers and the thread share.
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    limit: usize,
    figures: Mutex<Figures>,
    /// Events committed.
    pub(crate) log_size: AtomicU64,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Job, Answer)>,
    bytes: usize,
    closed: bool,
    /// The thread waits; waking it up costs a call into the kernel, which is spared while it is at work.
    idle: bool,
}

/// Counts and the last commit times.
#[derive(Default, Clone)]
pub(crate) struct Figures {
    pub(crate) commits: u64,
    pub(crate) jobs: u64,
    pub(crate) failed: u64,
    last: VecDeque<u64>,
}

impl Figures {
    fn committed(&mut self, jobs: usize, took: Duration) {
        const KEPT: usize = 256;
        self.commits += 1;
        self.jobs += jobs as u64;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Median and maximum of the last commits, microseconds.
    pub(crate) fn times(&self) -> (u64, u64) {
        let mut sorted: Vec<u64> = self.last.iter().copied().collect();
        sorted.sort_unstable();
        let at = |i: usize| sorted.get(i).copied().unwrap_or(0);
        (at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
    }
}

/// A poisoned lock means that a thread panicked between two plain assignments; the data is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(limit: usize, log_size: u64) -> Self {
        Self {
            queue: Mutex::default(),
            wake: Condvar::new(),
            limit: limit.max(1),
            figures: Mutex::default(),
            log_size: AtomicU64::new(log_size),
        }
    }

    /// Puts a job into the queue and waits until it is durable.
    pub(crate) async fn run(&self, job: Job) -> Result<Done, StoreError> {
        let (answer, wait) = oneshot::channel();
        let idle = {
            let mut queue = lock(&self.queue);
            if queue.closed {
                return Err(StoreError::Closed);
            }
            let bytes = job.bytes();
            if queue.waiting.len() >= self.limit || queue.bytes.saturating_add(bytes) > QUEUE_BYTES {
                return Err(StoreError::Overloaded);
            }
            queue.bytes += bytes;
            queue.waiting.push_back((job, answer));
            std::mem::take(&mut queue.idle)
        };
        if idle {
            self.wake.notify_one();
        }
        wait.await.unwrap_or(Err(StoreError::Closed))
    }

    /// No more jobs; the thread ends when it has done those that wait.
    pub(crate) fn close(&self) {
        lock(&self.queue).closed = true;
        self.wake.notify_all();
    }

    pub(crate) fn waiting(&self) -> usize {
        lock(&self.queue).waiting.len()
    }

    pub(crate) fn figures(&self) -> Figures {
        lock(&self.figures).clone()
    }

    /// `busy`: several were at work just now.
    fn take(&self, most: usize, busy: bool) -> Option<Vec<(Job, Answer)>> {
        let mut queue = lock(&self.queue);
        while queue.waiting.is_empty() {
            if queue.closed {
                return None;
            }
            queue.idle = true;
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.idle = false;
        if busy && queue.waiting.len() < most {
            drop(queue);
            std::thread::yield_now();
            queue = lock(&self.queue);
        }
        let n = queue.waiting.len().min(most.max(1));
        let batch: Vec<_> = queue.waiting.drain(..n).collect();
        queue.bytes = queue.bytes.saturating_sub(batch.iter().map(|(job, _)| job.bytes()).sum());
        Some(batch)
    }
}

/// However the thread ends, callers never wait for ever.
struct CloseAtEnd(Arc<Shared>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        queue.closed = true;
        queue.waiting.clear();
    }
}

/// What a batch gave: an answer for each job, and how long its commit took, if there was something to commit.
pub(crate) type Batched = (Vec<Result<Done, StoreError>>, Option<Duration>);

/// A database's side of the thread.
pub(crate) trait Writes {
    /// Runs the jobs in one transaction. An error is everybody's.
    fn batch(&mut self, jobs: &[Job]) -> Result<Batched, StoreError>;
    /// Events in the log, as far as this writer knows.
    fn log_size(&self) -> u64;
    /// Called after everybody was answered.
    fn rest(&mut self) {}
}

/// The thread: until the queue is closed and empty.
pub(crate) fn work(writer: &mut impl Writes, shared: &Arc<Shared>, most: usize, bell: &Bell) {
    let _end = CloseAtEnd(Arc::clone(shared));
    let mut busy = false;
    while let Some(taken) = shared.take(most, busy) {
        let (jobs, answers): (Vec<Job>, Vec<Answer>) = taken.into_iter().unzip();
        busy = jobs.len() > 1;
        let started = Instant::now();
        let before = writer.log_size();
        match writer.batch(&jobs) {
            Ok((results, took)) => {
                if let Some(took) = took {
                    lock(&shared.figures).committed(jobs.len(), took);
                }
                if writer.log_size() != before {
                    shared.log_size.fetch_max(writer.log_size(), Ordering::AcqRel);
                    bell.ring();
                }
                // From here on the rows are durable, whatever happens to the answers.
                for (answer, result) in answers.into_iter().zip(results) {
                    let _gone = answer.send(result);
                }
            }
            Err(error) => {
                lock(&shared.figures).failed += 1;
                // Some of it may be there all the same.
                shared.log_size.fetch_max(writer.log_size(), Ordering::AcqRel);
                bell.ring();
                tracing::error!(%error, jobs = jobs.len(), after = ?started.elapsed(), "a commit failed");
                for answer in answers {
                    let _gone = answer.send(Err(error.clone()));
                }
            }
        }
        writer.rest();
    }
}
