//! A seam for tests: make a write fail, in both ways in which writes fail.

use std::fmt;

/// Where a write can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultPoint {
    /// The commit of a batch.
    Commit,
    /// One tile or entry bundle of the published log.
    Tile,
    /// The signed checkpoint.
    Checkpoint,
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was written, and an error is reported.
    NotPersisted,
    /// It was written all the same, but an error is reported.
    PersistedButReportedFailed,
}

/// Decides, each time a write is about to happen, whether it fails. The program passes none.
pub trait Faults: Send + Sync + fmt::Debug {
    /// Called once per write.
    fn at(&self, point: FaultPoint) -> Option<Fault>;
}
