//! Giving to others what the house knows: its own indicators and its sightings, into a collection of a TAXII 2.1 server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chatward_intel::share::{self, House, Shared};
use http::HeaderName;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;

use super::fetch::{FetchError, Look};
use super::follow::{TAXII, apart, below};
use super::state::GivenState;
use super::{GivenStatus, Intel};
use crate::config::intel::{From, Share};

/// Objects of one request; the same for the identity that comes with each.
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
}

/// What a TAXII server says of what it was given (TAXII 2.1, 4.3.1).
#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    status: String,
    #[serde(default)]
    failure_count: u64,
}

impl Intel {
    /// The house's own indicators, with markings up to what this place may have.
    pub(crate) fn shared(&self, upto: chatward_detect::indicator::Tlp) -> Vec<Shared> {
        self.own_entries()
            .into_iter()
            .filter_map(|entry| entry.shared().ok())
            .filter(|shared| shared.tlp() <= upto)
            .collect()
    }

    /// Gives what there is to a place, and notes what came of it. What was given before is the same version of the same
    /// object, which a server keeps once.
    pub(crate) async fn give(self: &Arc<Self>, to: &Share, house: &House) -> Result<u64, GiveError> {
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

    async fn give_now(&self, to: &Share, house: &House) -> Result<u64, GiveError> {
        let From::Url(uri) = &to.place.from else {
            return Err(FetchError::Request("a file takes nothing").into());
        };
        let bundle = share::stix(house, &self.shared(to.upto), &self.sightings(to.upto), self.clock.now());
        let objects =
            bundle.get("objects").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
        // The house comes first, and with each part: what names it can be read.
        let Some((identity, rest)) = objects.split_first() else { return Ok(0) };
        let place = below(uri, "objects/", "")?;
        let mut look = Look::new(&to.place, &place)?;
        let headers: [(HeaderName, &str); 2] = [(ACCEPT, TAXII), (CONTENT_TYPE, TAXII)];
        for part in rest.chunks(AT_ONCE) {
            let all: Vec<&serde_json::Value> = std::iter::once(identity).chain(part).collect();
            let body = serde_json::json!({ "objects": all }).to_string();
            let said = look.give(&place, &headers, Bytes::from(body)).await?;
            let Ok(Status { status, failure_count }) = serde_json::from_slice(&said) else {
                return Err(GiveError::Unsaid);
            };
            if failure_count > 0 || !matches!(status.as_str(), "complete" | "pending") {
                let all = all.len() as u64;
                return Err(GiveError::Part { took: all.saturating_sub(failure_count), all });
            }
        }
        Ok(objects.len() as u64)
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
