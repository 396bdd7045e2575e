//! Errors as the outside sees them: stable codes, and problem documents (RFC 9457).
//!
//! There is one table of codes. The answers, `docs/errors.md` and the `reason` of audit events and metrics are made from
//! it. A problem carries two texts: `detail` for the caller, which says what to do next and nothing of our insides, and an
//! inside text which only ever goes to the log. On protocol routes (`/v1/…`) the edge puts the same code into that protocol's
//! own error object.

use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use http::{HeaderValue, Response, StatusCode, header};

use crate::identity::outcome::Next;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The program that called us: another request may do better.
    Caller,
    /// The bot behind us.
    Upstream,
    /// The house: its configuration, its disk, its keys. The operator has to act.
    Operator,
    /// Chatward itself: please report.
    Chatward,
}

impl Fault {
    /// The word used in the documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Upstream => "bot",
            Self::Operator => "operator",
            Self::Chatward => "Chatward",
        }
    }
}

macro_rules! codes {
    ($($name:ident, $code:literal, $status:literal, $fault:ident, $title:literal, $todo:literal;)+) => {
        /// A stable code. The list only grows; a code never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each is documented by its title in the table, which `docs/errors.md` is made of")]
        pub enum Code { $($name,)+ }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code as written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The HTTP status it comes with.
            pub const fn status_number(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// What it means, in half a sentence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// Whose fault it is.
            pub const fn fault(self) -> Fault {
                match self { $(Self::$name => Fault::$fault,)+ }
            }

            /// What to do about it.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $todo,)+ }
            }
        }
    };
}

codes! {
    // What the caller sent.
    BadJson, "bad-json", 400, Caller, "The body is not valid JSON", "Send one JSON object in UTF-8.";
    BadEncoding, "bad-encoding", 400, Caller, "The body is not valid UTF-8", "Encode the body as UTF-8.";
    BadRequest, "bad-request", 400, Caller, "A field has the wrong type or value", "Compare the request with the protocol; the detail names the field.";
    BadHeader, "bad-header", 400, Caller, "A header has a value that cannot be used", "`Chatward-Conversation` and `Chatward-Customer` take 1 to 256 bytes of UTF-8 without control characters.";
    MissingKey, "missing-key", 401, Caller, "No API key was sent", "Send `Authorization: Bearer KEY`.";
    UnknownKey, "unknown-key", 401, Caller, "The API key is not known", "Check the key; the operator makes new ones with `chatward callers new`.";
    SignInNeeded, "sign-in-needed", 401, Caller, "Nobody is signed in here, or the session is over", "Sign in, and ask again.";
    SignInFailed, "sign-in-failed", 401, Caller, "That did not sign in", "Try again, or another way that `next` names.";
    MissingToken, "missing-token", 401, Caller, "The admin token is missing or wrong", "Send `Authorization: Bearer TOKEN`; the token stands in `admin.token` in the keys folder.";
    SecondFactorNeeded, "second-factor-needed", 403, Caller, "This takes a second factor of the last ten minutes", "Show one of those that `next` names, and ask again.";
    NotAllowed, "not-allowed", 403, Caller, "Nobody allowed this account to do that", "`reason` says what is missing; docs/access.md says who can give it.";
    FormToken, "form-token", 403, Caller, "The form does not belong to this session", "Load the page again, and send its form.";
    NotTrusted, "not-trusted", 403, Caller, "This caller may not name customers", "`Chatward-Customer` is taken only from a caller that is marked `trusted` in the configuration.";
    UpstreamNotAllowed, "upstream-not-allowed", 403, Caller, "This caller may not use this bot", "Choose another model, or let the operator add the upstream to the caller.";
    OriginNotAllowed, "origin-not-allowed", 403, Caller, "The request comes from another site", "Use the page that this server itself serves.";
    BlockedContent, "blocked-content", 403, Caller, "The message holds something this service does not accept", "Leave the data out and send the message again.";
    AttackRefused, "attack-refused", 403, Caller, "The message looks like an attack on this service", "If it is none, write it in other words, or tell the service that this was a mistake.";
    HeldForReview, "held-for-review", 403, Caller, "A person looks at the message first", "Send the same message again later; it goes on when it was let go.";
    NoConsent, "no-consent", 403, Caller, "Answering needs a consent that was not given", "Ask the customer for consent first: `PUT /me/v1/consents/service` with `{\"agreed\": true}`.";
    NotOptional, "not-optional", 409, Caller, "This use of the data is part of the service and needs no consent", "Ask to be erased if the service is not wanted any more.";
    RequestClosed, "request-closed", 409, Caller, "This request was answered already", "Make another one.";
    RequestOrder, "request-order", 409, Caller, "This step does not come next", "Look at the request: received, identified, in work, then done or refused.";
    Held, "held", 409, Caller, "A legal reason forbids to delete this for now", "Ask again when the hold has ended.";
    UnknownPurpose, "unknown-purpose", 404, Caller, "There is no such purpose here", "Ask `GET /me/v1/consents` for those there are.";
    NotFound, "not-found", 404, Caller, "There is nothing at this address", "Check the path.";
    TurnNotFound, "turn-not-found", 404, Caller, "There is no such turn for this caller", "Ask with the id from `Chatward-Turn` and the key the turn was made with.";
    CustomerNotFound, "customer-not-found", 404, Caller, "There is no such customer", "Check the id; an erased customer is no longer known.";
    InvitationOver, "invitation-over", 404, Caller, "The invitation was used, withdrawn or is too old", "Ask an administrator for a new one.";
    UnknownModel, "unknown-model", 404, Caller, "No bot serves this model", "Ask `/v1/models`, or let the operator map the model to an upstream.";
    MethodNotAllowed, "method-not-allowed", 405, Caller, "This address does not take this method", "Check the method.";
    RequestTimeout, "request-timeout", 408, Caller, "The request did not arrive in time", "Send the request without long pauses.";
    NotNow, "not-now", 409, Caller, "This cannot be done as things are", "`reason` says what stands in the way, and `next` what to do first.";
    Busy, "busy", 409, Caller, "Others changed the same thing at the same moment", "Look at how it is now, and try again.";
    StartOver, "start-over", 409, Caller, "What was begun is not of this browser, or took too long", "Go back to the page where it began.";
    BudgetSpent, "budget-spent", 409, Caller, "So much was told of the customers already that no more may be told for now", "Ask for less, or wait as long as `Retry-After` says; the operator sets `numbers.budget`.";
    DataChanged, "data-changed", 409, Caller, "What the table is made of changed while it was made", "Throw away what came, and ask again.";
    ChannelKey, "ohttp-key", 400, Caller, "The key of the encrypted channel is not known, or not any more", "Fetch the list of keys once, and encrypt the request anew.";
    ChannelRefused, "channel-refused", 400, Caller, "The request does not open", "Encrypt it as docs/channel.md says, to a key of the list.";
    ChannelSession, "channel-session", 401, Caller, "The request does not prove that it belongs to a session of the encrypted channel", "Register a key with `POST /chat/v1/session`, and sign each request with it.";
    ChannelRepeated, "channel-repeated", 409, Caller, "This very request was here before", "Encrypt it anew if it is meant.";
    PreconditionFailed, "precondition-failed", 412, Caller, "Somebody else changed it since it was read", "Read it again, and send `If-Match` with its new tag.";
    BodyTooLarge, "body-too-large", 413, Caller, "The body is larger than allowed", "Send less; the operator sets `server.max_body_bytes`.";
    TooManyMessages, "too-many-messages", 413, Caller, "The request has more messages than allowed", "Send a shorter history; the operator sets `server.max_messages`.";
    FileKind, "file-kind", 415, Caller, "A file of this kind is not accepted here, or it is not what its name says", "Send plain text, PDF, docx, xlsx, pptx or odt.";
    FileUnreadable, "file-unreadable", 422, Caller, "No text can be read from this file", "Send one that is not locked or broken, and that holds text, not only pictures.";
    FileRefused, "file-refused", 422, Caller, "The file holds something that can do harm", "Send it as plain text, or as a PDF file without scripts and without other files inside; if it has to be this one, ask the operator to look at it.";
    FileNotInspected, "file-not-inspected", 422, Caller, "The file cannot be looked into, so it is not taken", "Send it without a password, not packed, and whole.";
    UnsupportedMediaType, "unsupported-media-type", 415, Caller, "The body is not of a type that is understood here", "Send `Content-Type: application/json`.";
    NotAccepted, "not-accepted", 422, Caller, "What was sent is well-formed and cannot be taken", "`reason` says why.";
    TooFine, "too-fine", 422, Caller, "The columns of the table make too many combinations to hide anybody in", "Ask for weeks or months instead of days, or name fewer columns.";
    KeyReused, "key-reused", 422, Caller, "The idempotency key was used for another request", "Make a new key for each thing to do.";
    PreconditionRequired, "precondition-required", 428, Caller, "What is changed here is changed only as it was read", "Send `If-Match` with the `ETag` that came with it.";
    RateLimited, "rate-limited", 429, Caller, "Too many requests", "Wait as long as `Retry-After` says.";
    HeadersTooLarge, "headers-too-large", 431, Caller, "The headers are larger than allowed", "Send fewer or shorter headers.";
    ClientGone, "client-gone", 499, Caller, "The caller left before the end", "Nothing; the code stands only in logs, metrics and the audit log.";
    // The bot.
    UpstreamUnreachable, "upstream-unreachable", 502, Upstream, "The bot cannot be reached", "Try again; the operator checks the upstream's `url` and its certificate.";
    AnswerStopped, "answer-stopped", 502, Upstream, "The answer was stopped: it looked as if it could do harm", "Do not act on what was shown; ask in other words, or tell the service.";
    UpstreamError, "upstream-error", 502, Upstream, "The bot answered with an error", "Try again; the operator looks at the bot.";
    UpstreamBadReply, "upstream-bad-reply", 502, Upstream, "The bot's answer is not what its protocol says", "Try again; the operator checks that the upstream speaks the protocol of the route.";
    UpstreamReplyTooLarge, "upstream-reply-too-large", 502, Upstream, "The bot's answer is larger than allowed", "Ask for less; the operator sets `max_reply_bytes` of the upstream.";
    UpstreamCut, "upstream-cut", 502, Upstream, "The bot's answer broke off", "Try again; what had come before was delivered and is in the log.";
    UpstreamTimeout, "upstream-timeout", 504, Upstream, "The bot did not answer in time", "Try again; the operator sets the upstream's `timeouts`.";
    // The house.
    ProviderAway, "provider-away", 502, Operator, "The identity provider cannot be asked, or did not answer as it should", "Try again later, or sign in another way; the operator looks at the log of the program.";
    StoreUnavailable, "store-unavailable", 503, Operator, "Nothing can be written down now, so nothing is sent", "Try again later; the operator looks at the disk and the log of the program.";
    DiskFull, "disk-full", 503, Operator, "The disk is full, so nothing is sent", "Try again later; the operator makes room.";
    FileCheckAway, "file-check-away", 503, Operator, "Files cannot be checked now, so none are taken", "Send the message without the file, or try again later; the operator looks at the virus scanner.";
    KeysUnavailable, "keys-unavailable", 503, Operator, "The keys cannot be used", "Try again later; the operator checks the keys folder.";
    NotReady, "not-ready", 503, Operator, "The service is not ready", "Try again later; `/readyz` on the private listener says what is missing.";
    TooManyConnections, "too-many-connections", 503, Operator, "Too many connections are open", "Try again later; the operator sets `server.max_connections`.";
    ShuttingDown, "shutting-down", 503, Operator, "The service is being stopped", "Try again in a moment.";
    Interrupted, "interrupted", 500, Operator, "The program stopped in the middle of the turn", "Send the message again; the code stands only in the audit log.";
    ConfigRefused, "config-refused", 422, Operator, "The new configuration has faults; the old one stays in force", "Run `chatward config check` and mend what it names.";
    ControlBad, "control-bad", 400, Operator, "The command on the control socket is not understood", "Use the `chatward` of the same version.";
    Internal, "internal", 500, Chatward, "Something went wrong inside", "Please report it with the `Chatward-Turn` id and the program's log.";
}

impl Code {
    /// The HTTP status it comes with.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.status_number()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Its place in [`Code::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The `type` of its problem document: a name, not an address.
    pub fn uri(self) -> String {
        if self == Self::ChannelKey {
            // RFC 9458, 5.3 gives this one its name.
            return "https://iana.org/assignments/http-problem-types#ohttp-key".to_owned();
        }
        format!("urn:chatward:problem:{}", self.as_str())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<chatward_policy::Reason> for Code {
    fn from(reason: chatward_policy::Reason) -> Self {
        match reason {
            chatward_policy::Reason::BlockedContent => Self::BlockedContent,
            chatward_policy::Reason::NoConsent => Self::NoConsent,
            chatward_policy::Reason::Attack => Self::AttackRefused,
            chatward_policy::Reason::Held => Self::HeldForReview,
        }
    }
}

impl From<&chatward_store::StoreError> for Code {
    fn from(error: &chatward_store::StoreError) -> Self {
        match error {
            chatward_store::StoreError::DiskFull { .. } => Self::DiskFull,
            _ => Self::StoreUnavailable,
        }
    }
}

impl Code {
    /// The code under which a request that its protocol's edge refused is logged.
    pub(crate) fn of_request(problem: &crate::openai::Problem) -> Self {
        match problem.status().as_u16() {
            413 if problem.code() == Self::TooManyMessages.as_str() => Self::TooManyMessages,
            413 => Self::BodyTooLarge,
            500.. => Self::UpstreamError,
            _ => Self::BadRequest,
        }
    }
}

/// A problem on its way to a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {}", .code.title())]
pub struct Problem {
    code: Code,
    retry_after: Option<Duration>,
    reason: Option<&'static str>,
    field: Option<Box<str>>,
    next: Option<Box<Next>>,
}

impl Problem {
    /// The problem with this code.
    pub const fn new(code: Code) -> Self {
        Self { code, retry_after: None, reason: None, field: None, next: None }
    }

    /// Its code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Says why exactly, in a code of `docs/identity.md` or `docs/access.md`.
    #[must_use]
    pub fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// Names the field that is wrong.
    #[must_use]
    pub fn at(self, field: impl Into<Box<str>>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// Says what can be done now.
    #[must_use]
    pub fn then(self, next: Next) -> Self {
        Self { next: Some(Box::new(next)), ..self }
    }

    /// Why exactly.
    pub fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    /// What can be done now.
    pub fn next(&self) -> Option<&Next> {
        self.next.as_deref()
    }

    /// Asks the caller to wait this long; rounded up to whole seconds, at least one.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Seconds for `Retry-After`.
    pub fn wait_seconds(&self) -> Option<u64> {
        self.retry_after.map(whole_seconds)
    }

    /// The problem document (RFC 9457, 3) as JSON.
    pub fn to_json(&self) -> String {
        let mut members = serde_json::Map::new();
        members.insert("type".into(), self.code.uri().into());
        members.insert("title".into(), self.code.title().into());
        members.insert("status".into(), self.code.status_number().into());
        members.insert("detail".into(), self.code.advice().into());
        members.insert("code".into(), self.code.as_str().into());
        if let Some(reason) = self.reason {
            members.insert("reason".into(), reason.into());
        }
        if let Some(field) = &self.field {
            members.insert("field".into(), field.as_ref().into());
        }
        if let Some(next) = &self.next {
            members.insert("next".into(), next_json(next));
        }
        serde_json::Value::Object(members).to_string()
    }
}

/// A next step as it is told: its word, and with it the ways there are.
fn next_json(next: &Next) -> serde_json::Value {
    let choices = |all: &[crate::identity::choices::Choice]| -> serde_json::Value {
        all.iter().map(|choice| serde_json::Value::from(choice.name())).collect()
    };
    match next {
        Next::Show(all) => serde_json::json!({ "do": next.name(), "choices": choices(all) }),
        Next::Wait { until, meanwhile } => {
            serde_json::json!({ "do": next.name(), "until": until.0, "choices": choices(meanwhile) })
        }
        _ => serde_json::json!({ "do": next.name() }),
    }
}

/// Rounded up, at least one.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<chatward_policy::Refused> for Problem {
    fn from(refused: chatward_policy::Refused) -> Self {
        Self::new(refused.reason().into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.to_json()));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.wait_seconds() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The text of `docs/errors.md`.
pub fn document() -> String {
    let mut text = String::from(
        "# Errors\n\n\
         <!-- Made by `cargo xtask generate` from crates/chatward/src/problem.rs; do not edit. -->\n\n\
         Every error has a stable code. On our own routes it stands in a problem document (RFC 9457,\n\
         `application/problem+json`, member `code`; `type` is `urn:chatward:problem:CODE`). On protocol routes (`/v1/…`)\n\
         it stands in that protocol's own error object. The audit log and `chatward_blocked_total` use the same codes.\n\n\
         | code | status | whose fault | meaning | what to do |\n| --- | --- | --- | --- | --- |\n",
    );
    for code in Code::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            code,
            code.status_number(),
            code.fault().name(),
            code.title(),
            code.advice()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_well_formed() {
        let mut seen = HashSet::new();
        for (index, code) in Code::ALL.iter().enumerate() {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code}");
            assert_eq!(code.index(), index);
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(code.advice().ends_with('.') && !code.title().ends_with('.'), "{code}");
        }
    }

    #[test]
    fn the_reasons_of_policy_are_in_the_table_under_the_same_name() {
        for reason in [
            chatward_policy::Reason::BlockedContent,
            chatward_policy::Reason::NoConsent,
            chatward_policy::Reason::Attack,
        ] {
            assert_eq!(Code::from(reason).as_str(), reason.code());
        }
    }

    #[test]
    fn a_problem_document_has_the_members_of_the_rfc() {
        let problem = Problem::new(Code::RateLimited).retry_after(Duration::from_millis(1200));
        let json: serde_json::Value = serde_json::from_str(&problem.to_json()).unwrap();
        assert_eq!(json["type"], "urn:chatward:problem:rate-limited");
        assert_eq!(json["status"], 429);
        assert_eq!(json["detail"], Code::RateLimited.advice());
        let response = problem.into_response();
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }

    #[test]
    fn the_document_in_the_repository_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == document(), "docs/errors.md is old: run `cargo xtask generate`");
    }
}
