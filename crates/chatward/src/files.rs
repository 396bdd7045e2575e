//! Files on their way to a bot or a person: they are looked into before anybody gets them.
//!
//! [`Files::look`] takes one file, has `chatward-attach` look into it and, if there is one, the virus scanner, and says what is done
//! about it, as the configuration wants it. What was decided is remembered under a hash, because a client sends its whole history with
//! every request; nothing of a file's content is.

mod clamd;
mod inline;
mod noted;
mod readers;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_lc_rs::digest;
use bytes::Bytes;
use chatward_attach::{Hashes, Sent, Verdict};
use chatward_message::{Response, Severity, Sign, SignInfo, Threat, View};
use lru::LruCache;
use tokio::sync::Semaphore;

use crate::config;
use crate::problem::Code;
use crate::seeing::FileOutcome;

pub use clamd::{Address, Clamd, Said, Silent};
pub(crate) use inline::decoded;
pub use inline::{Inline, NotBytes, Opened};
pub(crate) use noted::{of_page, of_request, tell};

/// Decisions that are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// Files that the virus scanner is asked for at once; it has ten threads where nobody says otherwise.
const SCANS: usize = 8;
/// Most signs that are told of one file.
const SIGNS: usize = 16;

/// What else of the house knows files: lists of known ones, and what reads the texts and addresses that are in them.
pub trait Readers: Send + Sync {
    /// The sign of a file that is listed, by its hashes.
    fn listed(&self, hashes: &Hashes) -> Option<Sign>;

    /// Signs in the texts and at the addresses that a file holds, and what is done about each.
    fn read(&self, verdict: &Verdict) -> Vec<(Sign, Response)>;

    /// Another number when the lists are others: what was decided by older ones is not remembered.
    fn version(&self) -> u64;
}

/// A file on its way.
#[derive(Debug, Clone)]
pub struct OnItsWay {
    /// What it is called; empty if it has no name.
    pub name: String,
    /// The media type that was declared for it.
    pub media_type: Option<String>,
    /// Its bytes.
    pub bytes: Bytes,
}

/// What is done about a file, and why. It holds nothing of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What is done: observe, flag or block.
    pub response: Response,
    /// What its sender is told, if it goes no further.
    pub refusal: Option<Code>,
    /// The signs that were seen, the worst first, each once; at most sixteen.
    pub signs: Vec<Sign>,
    /// Why it was not looked into as a whole, in words of closed lists.
    pub not_looked: Vec<&'static str>,
}

impl Decision {
    /// One about a file of which nothing is known.
    fn nothing() -> Self {
        Self { response: Response::Observe, refusal: None, signs: Vec::new(), not_looked: Vec::new() }
    }

    /// What it is counted as.
    pub fn outcome(&self) -> FileOutcome {
        match self.response {
            Response::Observe if self.signs.is_empty() && self.not_looked.is_empty() => FileOutcome::Clean,
            Response::Observe => FileOutcome::Observed,
            Response::Block => FileOutcome::Blocked,
            _ => FileOutcome::Flagged,
        }
    }

    /// Whether there is anything to say about it.
    pub fn is_worth_noting(&self) -> bool {
        self.response >= Response::Flag
    }

    fn sign(&mut self, sign: Sign, response: Response) {
        self.at_least(response, Code::FileRefused);
        if self.signs.len() < SIGNS && !self.signs.iter().any(|one| one.info.id == sign.info.id) {
            self.signs.push(sign);
        }
    }

    /// This much is done for this reason, if nothing further is done already.
    fn at_least(&mut self, response: Response, refusal: Code) {
        if response > self.response {
            self.response = response;
            self.refusal = (response == Response::Block).then_some(refusal);
        }
    }
}

/// What looks into files, as the configuration in force says.
pub struct Files {
    config: config::Files,
    /// Looking takes a processor, and turns want theirs.
    places: Arc<Semaphore>,
    /// Files that the virus scanner is asked for at once.
    scans: Semaphore,
    decided: Mutex<LruCache<[u8; 32], Arc<Decision>>>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Files {
    /// As the configuration says.
    pub fn new(config: config::Files) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let decided = Mutex::new(LruCache::new(REMEMBERED));
        let (places, scans) = (Arc::new(Semaphore::new(cores)), Semaphore::new(SCANS));
        Self { config, places, scans, decided }
    }

    /// Whether files are looked into at all.
    pub fn is_on(&self) -> bool {
        self.config.inspector.is_some()
    }

    /// Looks into a file, and says what is done about it. It takes no longer than the configuration lets it, give or take the time to
    /// end what looks.
    pub async fn look(self: &Arc<Self>, file: OnItsWay, readers: Arc<dyn Readers>) -> Arc<Decision> {
        if !self.is_on() {
            return Arc::new(Decision::nothing());
        }
        let key = key(&file, readers.version());
        let decided = || self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = decided().get(&key) {
            return Arc::clone(known);
        }
        let ((verdict, found), scanned) =
            tokio::join!(self.inspect(file.clone(), readers), self.scan(&file.bytes));
        let mut decision = self.decide(verdict.as_ref(), found);
        let lasts = self.heed(scanned, &mut decision) && verdict.is_some();
        let decision = Arc::new(decision);
        if lasts {
            decided().put(key, Arc::clone(&decision));
        }
        decision
    }

    /// Looks into it on a thread of its own. Nothing is known of a file for which there was no place or no time.
    async fn inspect(
        self: &Arc<Self>,
        file: OnItsWay,
        readers: Arc<dyn Readers>,
    ) -> (Option<Verdict>, Vec<(Sign, Response)>) {
        let until = Instant::now() + self.config.patience;
        let waiting = Arc::clone(&self.places).acquire_owned();
        let Ok(Ok(place)) = tokio::time::timeout_at(until.into(), waiting).await else {
            return (None, Vec::new());
        };
        let this = Arc::clone(self);
        let looking = tokio::task::spawn_blocking(move || {
            // Held to the end, also when nobody waits any more.
            let _place = place;
            let inspector = this.config.inspector.as_ref()?;
            let OnItsWay { name, media_type, bytes } = &file;
            let sent = Sent { name, media_type: media_type.as_deref(), bytes };
            let verdict = inspector.inspect(&sent, &|hashes| readers.listed(hashes));
            let read = readers.read(&verdict);
            Some((verdict, read))
        });
        match tokio::time::timeout_at(until.into(), looking).await {
            Ok(Ok(Some((verdict, read)))) => (Some(verdict), read),
            _ => (None, Vec::new()),
        }
    }

    async fn scan(&self, bytes: &[u8]) -> Option<Result<Said, Silent>> {
        let clamd = self.config.clamd.as_ref()?;
        let Ok(Ok(_place)) = tokio::time::timeout(clamd.patience, self.scans.acquire()).await else {
            return Some(Err(Silent::Slow));
        };
        Some(clamd.scan(bytes).await)
    }

    fn decide(&self, verdict: Option<&Verdict>, read: Vec<(Sign, Response)>) -> Decision {
        let mut decision = Decision::nothing();
        let seen =
            verdict.into_iter().flat_map(|verdict| verdict.signs.iter().map(|found| found.sign.clone()));
        let answered = |sign: Sign| {
            let response = self.config.response_to(&sign.info.id, sign.info.severity);
            (sign, response)
        };
        let mut seen: Vec<(Sign, Response)> = seen.map(answered).chain(read).collect();
        seen.sort_by_key(|(sign, response)| std::cmp::Reverse((*response, sign.info.severity)));
        for (sign, response) in seen {
            decision.sign(sign, response);
        }
        match verdict {
            Some(verdict) => {
                for one in &verdict.not_looked {
                    self.not_looked(one.why.name(), &mut decision);
                }
            }
            None => self.not_looked("too-slow", &mut decision),
        }
        decision
    }

    fn not_looked(&self, why: &'static str, decision: &mut Decision) {
        decision.at_least(self.config.not_inspected, Code::FileNotInspected);
        if !decision.not_looked.contains(&why) {
            decision.not_looked.push(why);
        }
    }

    /// What the virus scanner said. Whether it will say the same again.
    fn heed(&self, scanned: Option<Result<Said, Silent>>, decision: &mut Decision) -> bool {
        match scanned {
            None | Some(Ok(Said::Clean)) => true,
            Some(Ok(Said::Found(name))) => {
                let id = format!("clamd.{name}").into();
                let (threat, severity) = (Threat::Malware, Severity::Critical);
                let response = self.config.response_to(&format!("clamd.{name}"), severity);
                let info = Arc::new(SignInfo { id, threat, severity, tags: Box::new([]) });
                decision.sign(Sign { info, score: 1.0, span: None, view: View::Plain }, response);
                true
            }
            Some(Err(Silent::TooLarge)) => {
                self.not_looked("too-large", decision);
                true
            }
            Some(Err(error)) => {
                tracing::error!(cause = %error, "the virus scanner did not look at a file");
                decision.at_least(self.config.away, Code::FileCheckAway);
                decision.not_looked.push("scanner-away");
                false
            }
        }
    }
}

/// What a decision is remembered under: all that it was made of.
fn key(file: &OnItsWay, version: u64) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(&version.to_be_bytes());
    for part in [file.name.as_bytes(), file.media_type.as_deref().unwrap_or_default().as_bytes()] {
        hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.update(&file.bytes);
    let mut key = [0; 32];
    key.copy_from_slice(hash.finish().as_ref());
    key
}
