//! Which models of attacks are in force: the shipped ones, or the house's own that `chatward train` made of them.
//!
//! `threats.bin` is a file of models as the shipped one, `threats.json` its card. Own models fit only the shipped ones they were
//! made of: the features of a text are made by the program. With others the shipped ones are in force until somebody trains again.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use aws_lc_rs::digest::{SHA256, digest};
use chatward_detect::threat::{Reader, own};
use serde::{Deserialize, Serialize};

use super::book::put_in_place;
use crate::cli::say_error;
use crate::config::Config;

/// A larger file is none of models.
const LARGEST: u64 = 64 << 20;

/// What own models are, and how well they do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Card {
    /// Their name: first bytes of the hash of the file.
    pub(crate) models: String,
    /// The name of the shipped models that they were made of.
    pub(crate) base: String,
    /// When, in UTC.
    pub(crate) made: String,
    /// Confirmed cases, and how many of them are harmless.
    pub(crate) cases: usize,
    pub(crate) harmless: usize,
    /// How many of them are told right by the shipped models, and by these.
    pub(crate) right_before: usize,
    pub(crate) right_after: usize,
    /// Harmless cases that only the shipped models tell right.
    pub(crate) harmless_lost: usize,
    /// Shipped examples and near misses that were not learnt from.
    pub(crate) anchors: usize,
    /// How many of them are flagged by one and not by the other, and how many of these are wrong now.
    pub(crate) anchors_changed: usize,
    pub(crate) anchors_worse: usize,
}

/// Models in force.
pub(crate) struct InForce {
    pub(crate) reader: Reader,
    /// In words: which they are, and why they are not the house's own if there are some.
    pub(crate) told: String,
    /// Whether own models are there and not used.
    pub(crate) left_out: bool,
}

impl InForce {
    /// The models; which they are stands in the log.
    pub(crate) fn noted(self) -> Reader {
        if self.left_out {
            tracing::error!(models = %self.told, "the house's own models of attacks are not used");
        } else {
            tracing::info!(models = %self.told, "models of attacks");
        }
        self.reader
    }
}

/// The folder of the house's own models.
pub(crate) fn folder(named: Option<&Path>, data: &Path) -> PathBuf {
    named.map_or_else(|| data.join("models"), Path::to_owned)
}

/// The models in force with this configuration.
///
/// # Errors
/// If the configuration names a folder without models in it, or the program was built with damaged ones.
pub(crate) fn of(config: &Config) -> anyhow::Result<InForce> {
    let named = config.threats.models.as_deref();
    in_force(&folder(named, &config.server.data), named.is_some())
}

/// The models in force with this folder of own ones.
pub(crate) fn in_force(folder: &Path, named: bool) -> anyhow::Result<InForce> {
    let shipped = Reader::new()?;
    let there = folder.join("threats.bin").exists();
    if !there && !named {
        return Ok(InForce { told: format!("shipped {}", shipped.name()), reader: shipped, left_out: false });
    }
    if !there {
        anyhow::bail!("threats.models: {} holds no threats.bin: `chatward train` makes it", folder.display());
    }
    Ok(match own_models(folder, &shipped.name()) {
        Ok(reader) => {
            let told = format!("own {}, made of {}", reader.name(), shipped.name());
            InForce { reader, told, left_out: false }
        }
        Err(error) => {
            let told = format!("shipped {}; {}: {error:#}", shipped.name(), folder.display());
            InForce { reader: shipped, told, left_out: true }
        }
    })
}

/// The models in force with these folders, for a command; why own ones are not used is said on standard error.
pub(crate) fn told(named: Option<&Path>, data: &Path) -> anyhow::Result<Reader> {
    let InForce { reader, told, left_out } = in_force(&folder(named, data), named.is_some())?;
    if left_out {
        say_error(format_args!("chatward: models of attacks: {told}"));
    }
    Ok(reader)
}

fn own_models(folder: &Path, base: &str) -> anyhow::Result<Reader> {
    let card: Card = serde_json::from_slice(&read(&folder.join("threats.json"))?)
        .map_err(|_| anyhow::anyhow!("threats.json is no card: train again"))?;
    if card.base != base {
        anyhow::bail!("made of the models {} of another version of the program: train again", card.base);
    }
    let file = read(&folder.join("threats.bin"))?;
    let reader = own::reader(file, |hash, of| digest(&SHA256, of).as_ref() == hash)?;
    if reader.name() != card.models {
        anyhow::bail!("threats.json is of other models: train again");
    }
    Ok(reader)
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let named = || file.display().to_string();
    let size = std::fs::metadata(file).with_context(named)?.len();
    if size > LARGEST {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge)).with_context(named);
    }
    std::fs::read(file).with_context(named)
}

/// Writes own models, and their card after them: models without their card are not used.
pub(crate) fn write(folder: &Path, file: &[u8], card: &Card) -> anyhow::Result<()> {
    let named = || folder.display().to_string();
    put_in_place(&folder.join("threats.bin"), file).with_context(named)?;
    put_in_place(&folder.join("threats.json"), &serde_json::to_vec_pretty(card)?).with_context(named)
}

/// The hash that stands in a file of models.
pub(crate) fn hash(of: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    let made = digest(&SHA256, of);
    hash.iter_mut().zip(made.as_ref()).for_each(|(to, from)| *to = *from);
    hash
}
