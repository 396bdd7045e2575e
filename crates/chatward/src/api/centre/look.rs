//! What the pages of the centre have in common.

use askama::Template;

use super::reader::{Known, Reader};
use super::{Answered, say};
use crate::api::Api;
use crate::api::account::{Look, When};
use crate::api::call::Reply;
use crate::pages::{Language, TextError, Words};
use crate::problem::{Code, Problem};

/// A page of the navigation: where it is, and the message that names it.
pub(in crate::api) struct Link {
    pub(in crate::api) path: &'static str,
    pub(in crate::api) name: &'static str,
}

/// The navigation, in order.
pub(in crate::api) const PAGES: [Link; 9] = [
    Link { path: "/privacy", name: "nav-overview" },
    Link { path: "/privacy/notice", name: "nav-notice" },
    Link { path: "/privacy/consents", name: "nav-consents" },
    Link { path: "/privacy/data", name: "nav-data" },
    Link { path: "/privacy/requests", name: "nav-requests" },
    Link { path: "/privacy/looks", name: "nav-looks" },
    Link { path: "/account/security", name: "nav-security" },
    Link { path: "/privacy/guides", name: "nav-guides" },
    Link { path: "/privacy/verify", name: "nav-verify" },
];

/// What every page has.
pub(super) struct Frame<'a> {
    /// The words.
    pub(super) w: &'a Words,
    /// Where the files are.
    pub(super) assets: &'a str,
    /// What the house is called.
    pub(super) house: String,
    /// The page of the navigation that this is, or belongs to.
    pub(super) here: &'static str,
    /// How well the reader is known.
    pub(super) known: Known,
    /// The token of the session's forms, within a session.
    pub(super) form: String,
    /// Whether a passkey has to be shown first, and can be: a form waits for it then.
    pub(super) ask_passkey: bool,
}

impl<'a> Frame<'a> {
    /// For this reader.
    pub(super) fn of(api: &'a Api, reader: Option<&Reader>, here: &'static str) -> Self {
        let Look { words, assets } = &api.look;
        Self {
            w: words,
            assets,
            house: api.gate.force.load().config.identity.name.clone(),
            here,
            known: reader.map_or(Known::Nobody, Reader::known),
            form: reader.map(Reader::form).unwrap_or_default(),
            ask_passkey: reader.is_some_and(|reader| !reader.is_fresh(api) && reader.has_passkey()),
        }
    }

    /// The navigation.
    #[expect(clippy::unused_self, reason = "templates ask the frame")]
    pub(super) fn pages(&self) -> &'static [Link] {
        &PAGES
    }

    /// The languages to choose from.
    #[expect(clippy::unused_self, reason = "templates ask the frame")]
    pub(super) fn languages(&self) -> &'static [Language] {
        &Language::OFFERED
    }

    /// The word of the page to come back to after signing in.
    pub(super) fn back(&self) -> &'static str {
        super::way::word(self.here)
    }

    /// Whether somebody is known.
    pub(super) fn is_known(&self) -> bool {
        self.known != Known::Nobody
    }

    /// Whether somebody is signed in.
    pub(super) fn is_signed_in(&self) -> bool {
        self.known == Known::SignedIn
    }

    /// The purpose with this name, in words.
    pub(super) fn purpose(&self, name: &str) -> Result<String, TextError> {
        say::purpose(self.w, name)
    }

    /// A class of data, in words.
    pub(super) fn class(&self, class: &chatward_message::Class) -> Result<&str, TextError> {
        say::class(self.w, *class)
    }

    /// A message for so many.
    pub(super) fn many(&self, id: &str, n: &u64) -> Result<String, TextError> {
        self.w.count(id, *n)
    }

    /// A legal basis, in words.
    pub(super) fn basis(&self, name: &str) -> Result<&str, TextError> {
        say::basis(self.w, name)
    }

    /// A length of time, in words.
    pub(super) fn span(&self, millis: &u64) -> Result<String, TextError> {
        say::span(self.w, *millis)
    }
}

/// A moment, in templates.
pub(super) fn when(at: chatward_message::UnixMillis) -> When {
    When::of(at)
}

/// A page as an answer.
pub(super) fn show(page: &impl Template, error: Option<&Problem>) -> Answered {
    crate::api::account::show(page, error)
}

/// A document to keep: JSON with a name.
pub(super) fn file(document: &serde_json::Value, name: &str) -> Answered {
    let bytes = serde_json::to_vec_pretty(document).map_err(|_| Problem::new(Code::Internal))?;
    let name = format!("attachment; filename=\"{name}\"");
    Ok(Reply::raw_json(zeroize::Zeroizing::new(bytes)).header(http::header::CONTENT_DISPOSITION, &name))
}
