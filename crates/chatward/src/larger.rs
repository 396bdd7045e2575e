//! The larger model that the configuration asks for: how it is opened, and its part in a turn.
//!
//! It reads on the threads for work that blocks, so that no other turn waits for it, and only so long as the configuration
//! allows; waiting for a free core counts. What it has not read by then is left to rules and tagger: counted, logged
//! and shown as degraded, never silent.

use std::sync::Arc;
use std::time::Instant;

use chatward_detect::larger::Larger;
use chatward_detect::{Inspected, Text, Unreads};
use chatward_message::TurnId;
use tokio::sync::Semaphore;

use crate::config::{Faults, Model};
use crate::seeing::Fallback;
use crate::turn::{Force, Gate, TurnError};

/// How many turns may have the model read at once: one a core.
pub(crate) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)))
}

/// Reads its files and tries it once.
#[cfg(feature = "onnx")]
pub(crate) fn open(wish: &Model) -> Result<Larger, Faults> {
    use chatward_detect::larger::{Onnx, OnnxError, OnnxFiles, OnnxOptions};

    use crate::config::FaultSort;

    let read = |key: &str, file: &std::path::Path| {
        std::fs::read(file).map_err(|error| {
            let message = format!("{} cannot be read: {error}", file.display());
            Faults::one(&format!("detection.model.{key}"), message, FaultSort::Unreadable)
        })
    };
    let files = OnnxFiles {
        model: read("path", &wish.path)?,
        tokenizer: read("tokenizer", &wish.tokenizer)?,
        config: read("config", &wish.config)?,
    };
    let options = OnnxOptions { batch: wish.batch, max_tokens: wish.max_tokens };
    let reader = Onnx::open(files, options).map_err(|error| {
        let key = match error {
            OnnxError::Tokenizer(_) => "tokenizer",
            OnnxError::Config(_) => "config",
            OnnxError::Model(_) | OnnxError::Shape(_) => "path",
        };
        Faults::one(&format!("detection.model.{key}"), error.to_string(), FaultSort::Wrong)
    })?;
    Ok(Larger { reader: Arc::new(reader), kinds: wish.labels.clone(), threshold: wish.threshold })
}

/// This program was built without what runs such models.
#[cfg(not(feature = "onnx"))]
pub(crate) fn open(_wish: &Model) -> Result<Larger, Faults> {
    let message = "this program was built without ONNX models: build it with the feature `onnx`";
    Err(Faults::one("detection.model", message, crate::config::FaultSort::Wrong))
}

/// Inspects the texts of a turn.
pub(crate) async fn inspect(
    gate: &Gate,
    force: &Force,
    turn: TurnId,
    texts: Vec<Text>,
) -> Result<Inspected, TurnError> {
    let wish = force.config.detection.model.as_ref();
    let Some(wish) = wish.filter(|_| force.detector.has_larger()) else {
        return Ok(force.detector.inspect_each(texts, None));
    };
    let deadline = Instant::now() + wish.time_limit;
    let waiting = Arc::clone(&gate.readers).acquire_owned();
    let place = tokio::time::timeout_at(deadline.into(), waiting).await;
    let detector = Arc::clone(&force.detector);
    let looking = tokio::task::spawn_blocking(move || {
        let go_on = || place.is_ok() && Instant::now() < deadline;
        detector.inspect_while(texts, None, &go_on)
    });
    let inspected = looking.await.map_err(|_| TurnError::Internal("the inspection was stopped"))?;
    tell(gate, turn, inspected.unread());
    Ok(inspected)
}

/// What was left to rules and tagger is counted, logged and shown until a turn is read as a whole again.
fn tell(gate: &Gate, turn: TurnId, unread: &Unreads) {
    let why = match unread {
        Unreads { failed: 1.., .. } => Some(Fallback::Failed),
        Unreads { late: 1.., .. } => Some(Fallback::Time),
        _ => None,
    };
    gate.health.set_degraded(why);
    let Some(why) = why else { return };
    gate.metrics.fallback(why, unread.late + unread.failed);
    tracing::warn!(
        turn = %turn,
        reason = why.name(),
        late = unread.late,
        failed = unread.failed,
        cause = unread.cause.as_deref(),
        "the larger model did not read every text: they were left to rules and tagger"
    );
}
