//! Giving to others what the house knows: its own indicators and its sightings, into a collection of a TAXII 2.1 server, or to a
//! MISP server.
//!
//! At a MISP server the indicators are attributes of one event of the house, to which each time is added what is new (`events/edit`, or
//! `events/add` the first time). Sightings are told one by one (`sightings/add`), and count for all attributes there with that value.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chatward_detect::indicator::Tlp;
use chatward_intel::share::{self, House, Shared, Sighting};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, StatusCode, Uri};
use serde::Deserialize;
use serde_json::Value as Json;

use super::fetch::{FetchError, Look};
use super::follow::{TAXII, apart, below};
use super::state::{GivenState, replace};
use super::{GivenStatus, Intel};
use crate::config::intel::{FeedForm, From, Share};

/// Objects of one request to a TAXII server, and attributes of one to a MISP server, which answers with the whole event.
const AT_ONCE: usize = 500;
const ATTRIBUTES: usize = 20_000;
/// Sightings that a MISP server is told of at one time: each is a request.
const SIGHTINGS: usize = 500;

/// The most that a server can say of what it was given, in bytes: what became of it, or the whole event.
const SAID: usize = 1 << 20;
const EVENT: usize = 64 << 20;

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

/// What a MISP server says of an event: how it is now.
#[derive(Deserialize)]
struct Kept {
    #[serde(rename = "Event")]
    event: KeptEvent,
}

#[derive(Deserialize)]
struct KeptEvent {
    uuid: String,
    #[serde(default, rename = "Attribute")]
    attributes: Vec<KeptAttribute>,
}

#[derive(Deserialize)]
struct KeptAttribute {
    uuid: String,
    timestamp: String,
}

impl KeptAttribute {
    fn with_time(&self) -> (&str, u64) {
        (&self.uuid, self.timestamp.parse().unwrap_or(0))
    }
}

/// Something to be given.
struct Gift {
    id: String,
    /// Which version of it.
    version: String,
    /// Whether it says that something given before counts no more.
    revoked: bool,
    what: Json,
}

/// In the place of a version: whether it is there is not known.
const OFFERED: &str = "-";

/// What the id of a sighting begins with.
const SIGHTING: &str = "sighting--";

impl Gift {
    /// An object of STIX.
    fn object(what: &Json) -> Self {
        let revoked = what.get("revoked").and_then(Json::as_bool) == Some(true);
        let (id, version) = (word(what, "id").to_owned(), word(what, "modified").to_owned());
        Self { id, version, revoked, what: what.clone() }
    }

    /// An attribute of MISP.
    fn attribute(what: Json) -> Self {
        let revoked = what.get("deleted").and_then(Json::as_bool) == Some(true);
        let (id, version) = (word(&what, "uuid").to_owned(), word(&what, "timestamp").to_owned());
        Self { id, version, revoked, what }
    }

    /// A sighting as MISP takes it.
    fn sighting(sighting: &Sighting) -> Self {
        let what = share::misp_sighting(sighting);
        let id = format!("{SIGHTING}{}", sighting.of.value());
        Self { id, version: word(&what, "timestamp").to_owned(), revoked: false, what }
    }
}

fn word<'a>(object: &'a Json, name: &str) -> &'a str {
    object.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// What a place took: servers call it a fault if the same version of an object comes again. `DIR/intel/given-NAME`: where it is,
/// then the version of what it took a line: `2026-11-27T13:00:00.000Z indicator--…`.
struct Taken {
    of: String,
    versions: BTreeMap<String, String>,
}

impl Taken {
    /// What this place took of these; nothing of what another took that had its name before.
    fn read(folder: &Path, to: &Share, gifts: &[Gift]) -> Self {
        let of = format!("{:?} {:?}", to.place.form, to.place.from);
        let text = std::fs::read_to_string(folder.join(file_of(to))).unwrap_or_default();
        let mut lines = text.lines();
        let same = lines.next() == Some(&of);
        let ids: BTreeSet<&str> = gifts.iter().map(|gift| &*gift.id).collect();
        let versions = lines
            .filter_map(|line| line.split_once(' '))
            .filter(|(_, id)| same && ids.contains(id))
            .map(|(version, id)| (id.to_owned(), version.to_owned()))
            .collect();
        Self { of, versions }
    }

    fn took(&mut self, gift: &Gift) {
        self.versions.insert(gift.id.clone(), gift.version.clone());
    }

    /// It may be there from now on.
    fn offer(&mut self, gift: &Gift) {
        self.versions.entry(gift.id.clone()).or_insert_with(|| OFFERED.to_owned());
    }

    /// Whether this is to be given: it has not been, and if it was taken back, an earlier version of it has.
    fn lacks(&self, gift: &Gift) -> bool {
        self.versions.get(&gift.id).map_or(!gift.revoked, |version| *version != gift.version)
    }

    fn keep(&self, folder: &Path, to: &Share) -> std::io::Result<()> {
        replace(folder, &file_of(to), |file| {
            writeln!(file, "{}", self.of)?;
            self.versions.iter().try_for_each(|(id, version)| writeln!(file, "{version} {id}"))
        })
    }
}

fn file_of(to: &Share) -> String {
    format!("given-{}", to.place.name)
}

/// Gives objects to a collection, as many as it takes, and notes which.
async fn give_objects(
    look: &mut Look<'_>,
    server: &Uri,
    gifts: &[Gift],
    taken: &mut Taken,
) -> Result<(), GiveError> {
    let place = below(server, "objects/", "")?;
    let mut given = Ok(());
    for part in gifts.chunks(AT_ONCE) {
        match give_part(look, &place, part, taken).await {
            Ok(()) => {}
            // What comes after it may be taken.
            Err(error @ GiveError::Part { .. }) => given = given.and(Err(error)),
            Err(error) => return given.and(Err(error)),
        }
    }
    given
}

async fn give_part(
    look: &mut Look<'_>,
    place: &Uri,
    part: &[Gift],
    taken: &mut Taken,
) -> Result<(), GiveError> {
    let headers: [(HeaderName, &str); 2] = [(ACCEPT, TAXII), (CONTENT_TYPE, TAXII)];
    let objects: Vec<&Json> = part.iter().map(|gift| &gift.what).collect();
    let body = serde_json::json!({ "objects": objects }).to_string();
    let said = look.give(place, &headers, Bytes::from(body), SAID).await?;
    let Ok(Status { status, failure_count, failures }) = serde_json::from_slice(&said) else {
        return Err(GiveError::Unsaid);
    };
    let all = part.len() as u64;
    let done = matches!(status.as_str(), "complete" | "pending");
    // A server need not say which ones it did not take; then none counts as taken.
    if done && failures.len() as u64 >= failure_count {
        let failed = |gift: &&Gift| failures.iter().any(|failure| gift.id == failure.id);
        part.iter().filter(|gift| !failed(gift)).for_each(|gift| taken.took(gift));
    }
    match (done, failure_count) {
        (true, 0) => Ok(()),
        _ => Err(GiveError::Part { took: all.saturating_sub(failure_count), all }),
    }
}

/// Gives attributes and sightings to a MISP server, and notes what it took.
async fn give_event(
    look: &mut Look<'_>,
    server: &Uri,
    house: &House,
    gifts: &[Gift],
    taken: &mut Taken,
) -> Result<(), GiveError> {
    let (sightings, attributes): (Vec<&Gift>, Vec<&Gift>) =
        gifts.iter().partition(|gift| gift.id.starts_with(SIGHTING));
    let given = match attributes.get(..ATTRIBUTES).unwrap_or(&attributes) {
        // Whoever may not be here at all hears the same "no" as for a value that nobody knows: so that is asked first.
        [] => match sightings.first() {
            Some(first) => may_ask(look, server, first).await,
            None => Ok(()),
        },
        attributes => give_attributes(look, server, house, attributes, taken).await,
    };
    if !matches!(given, Ok(()) | Err(GiveError::Part { .. })) {
        return given;
    }
    // What is not there yet has no sightings there.
    let missing: BTreeSet<&str> =
        attributes.iter().filter(|gift| taken.lacks(gift)).map(|gift| word(&gift.what, "value")).collect();
    let there = |gift: &&&Gift| !missing.contains(gift.id.trim_start_matches(SIGHTING));
    let place = below(server, "sightings/add", "")?;
    let mut told = Ok(());
    let sightings: Vec<&Gift> = sightings.iter().filter(there).copied().take(SIGHTINGS).collect();
    for gift in sightings {
        match look.give(&place, &HEADERS, Bytes::from(gift.what.to_string()), SAID).await {
            // Nothing there has this value: nobody to tell.
            Ok(_) | Err(FetchError::Refused(StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)) => {
                taken.took(gift)
            }
            // Others may be taken.
            Err(error @ FetchError::Refused(_)) => told = told.and(Err(error.into())),
            Err(error) => return given.and(Err(error.into())),
        }
    }
    given.and(told)
}

const JSON: &str = "application/json";
const HEADERS: [(HeaderName, &str); 2] = [(ACCEPT, JSON), (CONTENT_TYPE, JSON)];

/// Whether the server takes this key at all.
async fn may_ask(look: &mut Look<'_>, server: &Uri, about: &Gift) -> Result<(), GiveError> {
    let value = about.id.trim_start_matches(SIGHTING);
    let body = serde_json::json!({ "value": value, "limit": 1, "metadata": true }).to_string();
    match look.give(&below(server, "attributes/restSearch", "")?, &HEADERS, Bytes::from(body), SAID).await {
        Ok(_) | Err(FetchError::Long(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn give_attributes(
    look: &mut Look<'_>,
    server: &Uri,
    house: &House,
    attributes: &[&Gift],
    taken: &mut Taken,
) -> Result<(), GiveError> {
    let event = share::misp_event(house, attributes.iter().map(|gift| gift.what.clone()).collect());
    let uuid = event.get("Event").map_or("", |event| word(event, "uuid"));
    let body = Bytes::from(event.to_string());
    let edit = below(server, &format!("events/edit/{uuid}"), "")?;
    let said = match look.give(&edit, &HEADERS, body.clone(), EVENT).await {
        // The first time there is no such event.
        Err(FetchError::Refused(StatusCode::NOT_FOUND)) => {
            look.give(&below(server, "events/add", "")?, &HEADERS, body, EVENT).await
        }
        said => said,
    };
    let said = match said {
        // It did as it was told, and what it says of it is more than can be looked through.
        Err(FetchError::Long(_)) => {
            attributes.iter().for_each(|gift| taken.took(gift));
            return Ok(());
        }
        said => said?,
    };
    let kept: Kept = serde_json::from_slice(&said).map_err(|_| GiveError::Unsaid)?;
    if kept.event.uuid != uuid {
        return Err(GiveError::Unsaid);
    }
    let there: BTreeMap<&str, u64> = kept.event.attributes.iter().map(KeptAttribute::with_time).collect();
    let took = |gift: &&&Gift| match there.get(&*gift.id) {
        None => gift.revoked,
        // What somebody changed there since stays as it is.
        Some(at) => !gift.revoked && gift.version.parse().is_ok_and(|version: u64| *at >= version),
    };
    attributes.iter().filter(took).for_each(|gift| taken.took(gift));
    let (took, all) = (attributes.iter().filter(took).count() as u64, attributes.len() as u64);
    if took < all { Err(GiveError::Part { took, all }) } else { Ok(()) }
}

impl Intel {
    /// The house's own indicators as those see them that may have markings up to this one: what was taken off the list or is marked
    /// stricter now is taken back.
    ///
    /// # Errors
    /// If the list cannot be read.
    pub(crate) fn shared(&self, upto: Tlp) -> std::io::Result<Vec<Shared>> {
        let all = self.own_entries()?.into_iter().filter_map(|entry| entry.shared().ok());
        Ok(all.map(|shared| shared.upto(upto)).collect())
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
        let mut look = Look::new(&to.place, uri)?;
        let (intel, share, us) = (Arc::clone(self), to.clone(), house.clone());
        let prepared = apart(move || intel.new_for(&share, &us)).await;
        let (new, mut taken) = prepared.map_err(|_| GiveError::Thread)?.map_err(FetchError::File)?;
        if new.is_empty() {
            return Ok(0);
        }
        let given = match to.place.form {
            FeedForm::MispRest => give_event(&mut look, uri, house, &new, &mut taken).await,
            _ => give_objects(&mut look, uri, &new, &mut taken).await,
        };
        let (intel, share) = (Arc::clone(self), to.clone());
        let left = new.iter().filter(|gift| taken.lacks(gift)).count();
        let kept =
            apart(move || intel.folder_is_there().and_then(|()| taken.keep(&intel.folder, &share))).await;
        kept.map_err(|_| GiveError::Thread)?.map_err(FetchError::File)?;
        given.map(|()| (new.len() - left) as u64)
    }

    /// What a place has not taken yet, and what it has. That it is offered something is noted before it is: what it takes and does not
    /// say so is taken back all the same.
    fn new_for(&self, to: &Share, house: &House) -> std::io::Result<(Vec<Gift>, Taken)> {
        let (own, sightings) = (self.shared(to.upto)?, self.sightings(to.upto)?);
        let mut gifts: Vec<Gift> = match to.place.form {
            FeedForm::MispRest => {
                let attributes = share::misp_attributes(house, &own).into_iter().map(Gift::attribute);
                attributes.chain(sightings.iter().map(Gift::sighting)).collect()
            }
            _ => {
                let bundle = share::stix(house, &own, &sightings, self.clock.now());
                let objects = bundle.get("objects").and_then(Json::as_array);
                objects.into_iter().flatten().map(Gift::object).collect()
            }
        };
        let mut taken = Taken::read(&self.folder, to, &gifts);
        gifts.retain(|gift| taken.lacks(gift));
        // What was never given goes before newer versions: there may be more than goes at one time.
        gifts.sort_by_key(|gift| !gift.revoked && taken.versions.contains_key(&gift.id));
        if !gifts.is_empty() {
            gifts.iter().for_each(|gift| taken.offer(gift));
            self.folder_is_there()?;
            taken.keep(&self.folder, to)?;
        }
        Ok((gifts, taken))
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
