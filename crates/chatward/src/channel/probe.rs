//! The guard's end of the channel alone, without routes or sockets: for fuzzing and for measuring what it costs.

use bytes::Bytes;
use chatward_message::UnixMillis;
use futures_util::FutureExt as _;
use http::HeaderMap;

use super::client::{ClientError, Plain, Sealed, seal};
use super::keys::Keys;
use super::{Refused, inner, open};
use crate::problem::Problem;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// A gateway that opens requests and does nothing with them.
#[doc(hidden)]
pub struct Probe {
    keys: Keys,
}

/// What was made of a request.
#[doc(hidden)]
#[derive(Debug, PartialEq, Eq)]
pub enum Probed {
    /// It opened, and asks for this: its path and its body.
    Opened(String, Bytes),
    /// It opened, and is not for here.
    Misled,
    /// It did not open, or holds no request: the whole answer to whoever sent it.
    Refused(u16, String),
}

impl Probe {
    /// With a key of its own. Nothing if the system gives no random numbers.
    pub fn new() -> Option<Self> {
        let keys = Keys::new();
        // Alone there is nothing to wait for.
        keys.turn(NOW, None).now_or_never()?.ok()?;
        Some(Self { keys })
    }

    /// A request, encrypted as a client would.
    ///
    /// # Errors
    /// The library's.
    pub fn seal(&self, plain: &Plain) -> Result<Sealed, ClientError> {
        seal(&self.keys.newest(NOW).ok_or(ClientError::Library)?.config, plain)
    }

    /// What becomes of a request.
    pub fn open(&self, sealed: &[u8]) -> Probed {
        match open::open(&self.keys, sealed, NOW) {
            Ok(open) => Self::inside(&open.text),
            Err(refused) => told(&refused),
        }
    }

    /// What becomes of the text of a request that opened.
    pub fn inside(text: &[u8]) -> Probed {
        match inner::request(text, &HeaderMap::new()) {
            Ok(Ok(request)) => Probed::Opened(request.uri().to_string(), request.into_body()),
            Ok(Err(_)) => Probed::Misled,
            Err(inner::NotHttp) => told(&Refused::Bad),
        }
    }
}

fn told(refused: &Refused) -> Probed {
    let code = refused.code();
    Probed::Refused(code.status_number(), Problem::from(code).to_json())
}
