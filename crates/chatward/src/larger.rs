//! The larger models that the configuration asks for: how they are opened, and the part in a turn of the one that finds
//! personal data (that of the one which is asked about attacks is in [`doubt`](crate::threats::doubt)).
//!
//! It reads on the threads for work that blocks, so that no other turn waits for it, and only so long as the configuration
//! allows; waiting for a free core counts. What it has not read by then is left to rules and tagger: counted, logged
//! and shown as degraded, never silent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chatward_detect::larger::Larger;
use chatward_detect::larger::second::Second;
#[cfg(feature = "onnx")]
use chatward_detect::larger::{
    Onnx, OnnxError, OnnxFiles, OnnxOptions, OnnxWhole, Reader as _, second::Meant,
};
#[cfg(feature = "onnx")]
use chatward_detect::threat::linear::Scale;
use chatward_detect::{Inspected, Text, Unreads};
use chatward_message::TurnId;
use tokio::sync::Semaphore;
use tokio::task::JoinError;

#[cfg(feature = "onnx")]
use crate::config::FaultSort;
use crate::config::{Faults, Model, ThreatModel};
use crate::seeing::{Fallback, Part};
use crate::turn::{Force, Gate, TurnError};

/// How many turns may have the model read at once: one a core.
pub(crate) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)))
}

/// Why larger models that the configuration asks for cannot be used, where it allows that.
#[derive(Default)]
pub(crate) struct Unusable {
    /// The one that finds personal data.
    pub(crate) detection: Option<Faults>,
    /// The one that is asked about attacks.
    pub(crate) threats: Option<Faults>,
}

/// Who is asked where the models of attacks leave room for doubt, if anybody; or why nobody although that is wanted.
pub(crate) fn second(wish: Option<&ThreatModel>) -> Result<(Option<Second>, Option<Faults>), Faults> {
    match wish.map(|wish| (open_second(wish), wish)) {
        None => Ok((None, None)),
        Some((Ok(second), _)) => Ok((Some(second), None)),
        Some((Err(faults), wish)) if wish.or_without => Ok((None, Some(faults))),
        Some((Err(faults), _)) => Err(faults),
    }
}

/// Reads its files and tries it once.
#[cfg(feature = "onnx")]
pub(crate) fn open(wish: &Model) -> Result<Larger, Faults> {
    let files = onnx::files("detection.model", [&wish.path, &wish.tokenizer, &wish.config])?;
    let options = OnnxOptions { batch: wish.batch, max_tokens: wish.max_tokens };
    let reader = Onnx::open(files, options).map_err(|error| onnx::fault("detection.model", &error))?;
    Ok(Larger { reader: Arc::new(reader), kinds: wish.labels.clone(), threshold: wish.threshold })
}

/// The same of the one that is asked about attacks.
#[cfg(feature = "onnx")]
fn open_second(wish: &ThreatModel) -> Result<Second, Faults> {
    const AT: &str = "threats.model";
    let files = onnx::files(AT, [&wish.path, &wish.tokenizer, &wish.config])?;
    let options = OnnxOptions { batch: wish.batch, max_tokens: wish.max_tokens };
    let reader = match &wish.head {
        Some(head) => OnnxWhole::with_head(files, &onnx::read(AT, "head", head)?, options),
        None => OnnxWhole::classifier(files, options),
    };
    let reader = reader.map_err(|error| onnx::fault(AT, &error))?;
    let of = |label: &str, aim| Meant { aim, scale: onnx::scale(&reader, label, wish.reached) };
    let meant = wish.labels.iter().map(|(label, aim)| (label.clone(), of(label, *aim))).collect();
    let known = reader.labels().join(", ");
    Second::new(Arc::new(reader), &meant, wish.band.clone(), wish.weight).map_err(|label| {
        let message = format!("the model has no such label; it has {known}");
        Faults::one(&format!("{AT}.labels.{label}"), message, FaultSort::Wrong)
    })
}

/// Files of models, and what is wrong with them.
#[cfg(feature = "onnx")]
mod onnx {
    use std::path::Path;

    use super::{FaultSort, Faults, OnnxError, OnnxFiles, OnnxWhole, Scale};

    pub(super) fn read(at: &str, key: &str, file: &Path) -> Result<Vec<u8>, Faults> {
        std::fs::read(file).map_err(|error| {
            let message = format!("{} cannot be read: {error}", file.display());
            Faults::one(&format!("{at}.{key}"), message, FaultSort::Unreadable)
        })
    }

    pub(super) fn files(at: &str, [path, tokenizer, config]: [&Path; 3]) -> Result<OnnxFiles, Faults> {
        Ok(OnnxFiles {
            model: read(at, "path", path)?,
            tokenizer: read(at, "tokenizer", tokenizer)?,
            config: read(at, "config", config)?,
        })
    }

    pub(super) fn fault(at: &str, error: &OnnxError) -> Faults {
        let key = match error {
            OnnxError::Tokenizer(_) => "tokenizer",
            OnnxError::Config(_) => "config",
            OnnxError::Head(_) => "head",
            OnnxError::Model(_) | OnnxError::Shape(..) => "path",
        };
        Faults::one(&format!("{at}.{key}"), error.to_string(), FaultSort::Wrong)
    }

    /// What makes a risk of the score of a label.
    pub(super) fn scale(reader: &OnnxWhole, label: &str, reached: Option<[f32; 2]>) -> Option<Scale> {
        use chatward_detect::larger::second::sum_of;

        let of_head = reader.head().and_then(|head| head.labels.iter().find(|known| known.name == label));
        let of_head = of_head.map(|label| [label.messages, label.documents, label.messages]);
        let reached = of_head.or_else(|| reached.map(|scores| [scores.map(sum_of); 3]))?;
        Some(Scale { reached, ..Scale::default() })
    }
}

/// This program was built without what runs such models.
#[cfg(not(feature = "onnx"))]
fn none(at: &str) -> Faults {
    let message = "this program was built without ONNX models: build it with the feature `onnx`";
    Faults::one(at, message, crate::config::FaultSort::Wrong)
}

/// This program was built without what runs such models.
#[cfg(not(feature = "onnx"))]
pub(crate) fn open(_wish: &Model) -> Result<Larger, Faults> {
    Err(none("detection.model"))
}

/// This program was built without what runs such models.
#[cfg(not(feature = "onnx"))]
fn open_second(_wish: &ThreatModel) -> Result<Second, Faults> {
    Err(none("threats.model"))
}

/// Has something read on the threads for work that blocks, for as long as the limit lets it: waiting for a place counts.
pub(crate) async fn read<T: Send + 'static>(
    gate: &Gate,
    limit: Duration,
    work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
) -> Result<T, JoinError> {
    let deadline = Instant::now() + limit;
    let waiting = Arc::clone(&gate.readers).acquire_owned();
    let place = tokio::time::timeout_at(deadline.into(), waiting).await;
    tokio::task::spawn_blocking(move || work(&|| place.is_ok() && Instant::now() < deadline)).await
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
    let detector = Arc::clone(&force.detector);
    let looking = read(gate, wish.time_limit, move |go_on| detector.inspect_while(texts, None, go_on));
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
    gate.health.set_degraded(Part::Detection, why);
    let Some(why) = why else { return };
    gate.metrics.fallback(Part::Detection, why, unread.late + unread.failed);
    tracing::warn!(
        turn = %turn,
        reason = why.name(),
        late = unread.late,
        failed = unread.failed,
        cause = unread.cause.as_deref(),
        "the larger model did not read every text: they were left to rules and tagger"
    );
}
