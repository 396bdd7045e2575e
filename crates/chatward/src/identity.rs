//! Who speaks: accounts of customers and staff, and everything that shows who somebody is.
//!
//! An [`Account`] is one value. Every operation takes it with the facts of the moment and gives a [`Change`]: the account
//! as it is now, what came of it, and the events to write. Nothing here reads a clock, a file, a store or the network,
//! with one exception that the library for passkeys makes: it draws its challenges itself. Storage writes account and
//! events in one transaction, if the account is still at the revision it was read at; so no code, no try and no ceremony
//! counts twice.
//!
//! Start reading at [`Account`], then [`Session`]. The rules are in `docs/identity.md`.

pub mod account;
pub mod app;
pub mod ceremony;
pub mod choices;
pub mod claim;
pub mod host;
pub mod outcome;
pub mod passkey;
pub mod password;
pub mod recovery;
pub mod rules;
pub mod secret;
pub mod service;
pub mod session;
pub mod site;
pub mod sso;
pub mod staff;
pub mod tries;

pub use account::{Account, Holder, Newcomer, Role, State};
pub use outcome::{Change, Next, Refused, Why};
pub use rules::{Rules, Settings, With};
pub use session::{Need, Session, SignedIn};
