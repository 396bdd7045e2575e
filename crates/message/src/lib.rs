//! The words all rooms of Chatward share.
//!
//! Only what several rooms must agree on lives here: typed ids, [`Plain`] text, risk classes, findings and the
//! arithmetic of their spans, the shape of sealed data, audit events (which have no room for text) and the clock.
//! No I/O, no async, no regular expressions, no ciphers.

mod class;
mod clock;
mod event;
mod factor;
mod finding;
mod id;
mod plain;
mod purpose;
mod sealed;
mod threat;

pub use class::{Class, Classes, Destination, Operator, Risk};
pub use clock::{Clock, FixedClock, SystemClock, UnixMillis};
pub use event::{Access, Action, Count, Event, Facts, Recognised};
pub use factor::Factor;
pub use finding::{Evidence, Finding, Kind, RuleInfo, Span};
pub use id::{
    AccountId, BreakGlassId, ConversationId, CustomerId, DeviceId, IdError, KeySlot, ServiceId, Subject,
    TenantId, TurnId,
};
pub use plain::Plain;
pub use purpose::{NotAPurpose, Purpose, Purposes, Standing, Wording};
pub use sealed::{Place, Sealed};
pub use threat::{Channel, Response, Severity, Sign, SignInfo, Threat, View};
