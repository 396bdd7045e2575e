//! Giving to others what the house knows: its own indicators and its sightings, into a collection of a TAXII 2.1 server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chatward_intel::share::{self, House, Shared};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, Uri};
use serde::Deserialize;
use serde_json::Value as Json;

use super::fetch::{FetchError, Look};
use super::follow::{TAXII, apart, below};
use super::state::{GivenState, replace};
use super::{GivenStatus, Intel};
use crate::config::intel::{From, Share};

/// Objects of one request.
const AT_ONCE: usize = 500;

/// After a try that failed.
const AGAIN: Duration = Duration::from_secs(600);

/// Why something was not given. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GiveError {
    /// The server could not be asked, or said no.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The server took only a part of it.
    #[error("the server took {took} of {all} objects")]
    Part {
        /// So many.
        took: u64,
        /// Of so many.
        all: u64,
    },
    /// It answered something else than what became of it.
    #[error("the server does not say what became of it")]
    Unsaid,
    /// Ours: the thread that prepares it ended.
    #[error("what is to be given could not be worked on")]
    Thread,
}

/// What a TAXII server says of what it was given (TAXII 2.1, 4.3.1).
#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    status: String,
    #[serde(default)]
    failure_count: u64,
    #[serde(default)]
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    id: String,
}

/// What a place took: servers call it a fault if the same version of an object comes again. `DIR/intel/given-NAME`: where it is,
/// then the newest version of an object a line: `indicator--… 2026-11-27T13:00:00.000Z`.
struct Taken {
    of: String,
    // When what it took was changed, by id.
    versions: BTreeMap<String, String>,
}

impl Taken {
    /// What this place took of these; nothing of what another took that had its name before.
    fn read(folder: &Path, to: &Share, objects: &[Json]) -> Self {
        let of = format!("{:?}", to.place.from);
        let text = std::fs::read_to_string(folder.join(file_of(to))).unwrap_or_default();
        let mut lines = text.lines();
        let same = lines.next() == Some(&of);
        let ids: BTreeSet<&str> = objects.iter().map(|object| word(object, "id")).collect();
        let versions = lines
            .filter_map(|line| line.split_once(' '))
            .filter(|(id, _)| same && ids.contains(id))
            .map(|(id, modified)| (id.to_owned(), modified.to_owned()))
            .collect();
        Self { of, versions }
    }

    fn took(&mut self, object: &Json) {
        self.versions.insert(word(object, "id").to_owned(), word(object, "modified").to_owned());
    }

    /// Whether this is to be given: it has not been, and if it was taken back, an earlier version of it has.
    fn lacks(&self, object: &Json) -> bool {
        let revoked = object.get("revoked").and_then(Json::as_bool) == Some(true);
        let had = self.versions.get(word(object, "id"));
        had.map_or(!revoked, |modified| modified != word(object, "modified"))
    }

    fn keep(&self, folder: &Path, to: &Share) -> std::io::Result<()> {
        replace(folder, &file_of(to), |file| {
            writeln!(file, "{}", self.of)?;
            self.versions.iter().try_for_each(|(id, modified)| writeln!(file, "{id} {modified}"))
        })
    }
}

fn file_of(to: &Share) -> String {
    format!("given-{}", to.place.name)
}

fn word<'a>(object: &'a Json, name: &str) -> &'a str {
    object.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// Gives some objects, and notes which of them were taken.
async fn give_part(
    look: &mut Look<'_>,
    place: &Uri,
    part: &[Json],
    taken: &mut Taken,
) -> Result<(), GiveError> {
    let headers: [(HeaderName, &str); 2] = [(ACCEPT, TAXII), (CONTENT_TYPE, TAXII)];
    let body = serde_json::json!({ "objects": part }).to_string();
    let said = look.give(place, &headers, Bytes::from(body)).await?;
    let Ok(Status { status, failure_count, failures }) = serde_json::from_slice(&said) else {
        return Err(GiveError::Unsaid);
    };
    let all = part.len() as u64;
    let done = matches!(status.as_str(), "complete" | "pending");
    // A server need not say which ones it did not take; then none counts as taken.
    if done && failures.len() as u64 >= failure_count {
        let failed = |object: &&Json| failures.iter().any(|failure| word(object, "id") == failure.id);
        part.iter().filter(|object| !failed(object)).for_each(|object| taken.took(object));
    }
    match (done, failure_count) {
        (true, 0) => Ok(()),
        _ => Err(GiveError::Part { took: all.saturating_sub(failure_count), all }),
    }
}

impl Intel {
    /// The house's own indicators, also those that were taken back, with markings up to what this place may have.
    pub(crate) fn shared(&self, upto: chatward_detect::indicator::Tlp) -> Vec<Shared> {
        self.own_entries()
            .into_iter()
            .filter_map(|entry| entry.shared().ok())
            .filter(|shared| shared.tlp() <= upto)
            .collect()
    }

    /// Gives a place what it has not taken yet, and notes what came of it; how many objects that were.
    pub(crate) async fn give(self: &Arc<Self>, to: &Share, house: &House) -> Result<u64, GiveError> {
        // One at a time: whoever comes second has nothing new to give.
        let turn = self.turn_of(&file_of(to));
        let _turn = turn.lock().await;
        let given = self.give_now(to, house).await;
        let now = self.clock.now().0;
        {
            let mut books = self.books();
            let state = books.shares.entry(to.place.name.to_string()).or_default();
            state.tried = now;
            match &given {
                Ok(many) => *state = GivenState { tried: now, good: now, objects: *many, error: None },
                Err(error) => {
                    let text = error.to_string();
                    if state.error.as_ref() != Some(&text) {
                        tracing::warn!(to = %to.place.name, cause = %text, "indicators and sightings were not given");
                    }
                    state.error = Some(text);
                }
            }
        }
        let intel = Arc::clone(self);
        // What cannot be kept is in the log, and is given once more after the next start.
        let _ = apart(move || intel.keep(false)).await;
        given
    }

    async fn give_now(self: &Arc<Self>, to: &Share, house: &House) -> Result<u64, GiveError> {
        let From::Url(uri) = &to.place.from else {
            return Err(FetchError::Request("a file takes nothing").into());
        };
        let place = below(uri, "objects/", "")?;
        let mut look = Look::new(&to.place, &place)?;
        let (intel, share, us) = (Arc::clone(self), to.clone(), house.clone());
        let prepared = apart(move || intel.new_for(&share, &us)).await;
        let (new, mut taken) = prepared.map_err(|_| GiveError::Thread)?;
        let mut given = Ok(());
        for part in new.chunks(AT_ONCE) {
            match give_part(&mut look, &place, part, &mut taken).await {
                Ok(()) => {}
                // What comes after it may be taken.
                Err(error @ GiveError::Part { .. }) => given = given.and(Err(error)),
                Err(error) => {
                    given = given.and(Err(error));
                    break;
                }
            }
        }
        let (intel, share) = (Arc::clone(self), to.clone());
        let kept =
            apart(move || intel.folder_is_there().and_then(|()| taken.keep(&intel.folder, &share))).await;
        kept.map_err(|_| GiveError::Thread)?.map_err(FetchError::File)?;
        given.map(|()| new.len() as u64)
    }

    /// What a place has not taken yet, and what it has.
    fn new_for(&self, to: &Share, house: &House) -> (Vec<Json>, Taken) {
        let bundle = share::stix(house, &self.shared(to.upto), &self.sightings(to.upto), self.clock.now());
        let objects = bundle.get("objects").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let taken = Taken::read(&self.folder, to, objects);
        (objects.iter().filter(|object| taken.lacks(object)).cloned().collect(), taken)
    }

    /// To whom the configuration gives something.
    pub(crate) fn places(&self) -> Vec<Share> {
        self.settings.load().config.shares.clone()
    }

    /// Whether it is time to give something to a place again: sooner if it did not take it the last time.
    pub(crate) fn is_due(&self, to: &Share) -> bool {
        let Some(every) = to.every else { return false };
        let (tried, failed) = {
            let books = self.books();
            let state = books.shares.get(&*to.place.name);
            state.map_or((0, false), |state| (state.tried, state.error.is_some()))
        };
        let wait = if failed { every.min(AGAIN) } else { every };
        self.clock.now().0.saturating_sub(tried) >= u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
    }

    /// What came of giving.
    pub(crate) fn given(&self) -> Vec<GivenStatus> {
        let settings = self.settings.load();
        let books = self.books();
        let of = |to: &Share| {
            let GivenState { tried, good, objects, error } =
                books.shares.get(&*to.place.name).cloned().unwrap_or_default();
            GivenStatus { name: to.place.name.to_string(), tried, good, objects, error }
        };
        settings.config.shares.iter().map(of).collect()
    }
}
