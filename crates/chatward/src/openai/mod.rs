//! The OpenAI chat-completions protocol, as an edge: what comes in is opened just far enough to find its texts, and
//! goes on with every other byte as it was.
//!
//! [`Request`] and [`Reply`] take a whole body: texts out, texts in, the bytes between untouched. [`stream::Rewriter`]
//! does the same for server-sent events, whatever the cutting. [`Problem`] is an error in this protocol's shape.
//!
//! Limits. Texts are looked for in the places this protocol has for them (see [`Request`] and [`Channel`]); fields it
//! does not have pass byte for byte, and so do tool descriptions, JSON schemas, images, audio and file contents.
//! `logprobs` repeat an answer's text token by token and would let held-back text through: they are nulled.

mod answer;
mod arguments;
mod error;
mod json;
mod reply;
mod request;
mod splice;
pub mod stream;

pub use answer::{Channel, NotAnAnswer};
pub use error::{Problem, Refused, error_body};
pub use reply::{Reply, ReplyField};
pub use request::{Field, FieldKind, Limits, Request, Role};
pub use splice::Mismatch;
