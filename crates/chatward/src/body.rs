//! Reading the body of a request: within a size and a time, and so that who sends too much hears of it.

use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::problem::Code;

/// Of a body that is too long, so much more is read and thrown away, for so long.
const LINGER: usize = 32 << 20;
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The caller's: it did not come in time.
    Slow,
    /// The caller's: it is longer than is taken.
    Large,
    /// The caller's, or the network's: it broke off.
    Broken,
}

impl From<Unread> for Code {
    fn from(why: Unread) -> Self {
        match why {
            Unread::Slow => Self::RequestTimeout,
            Unread::Large => Self::BodyTooLarge,
            Unread::Broken => Self::BadRequest,
        }
    }
}

/// All of a body, of at most so many bytes.
///
/// Of a longer one the rest is thrown away, as far as that goes quickly: many clients write all of a request before they read
/// the answer, and would find the connection reset instead of it (RFC 9112, 9.6).
pub(crate) async fn read<B>(mut body: B, most: usize, wait: Duration) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    match tokio::time::timeout(wait, Limited::new(&mut body, most).collect()).await {
        Err(_) => Err(Unread::Slow),
        Ok(Ok(read)) => Ok(read.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            // What does not come in time, or breaks off, need not be thrown away.
            let _ = tokio::time::timeout(PATIENCE, throw_away(&mut body)).await;
            Err(Unread::Large)
        }
        Ok(Err(_)) => Err(Unread::Broken),
    }
}

async fn throw_away<B: Body<Data = Bytes> + Unpin>(body: &mut B) {
    let mut left = LINGER;
    while let Some(Ok(frame)) = body.frame().await {
        let many = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(many) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    /// A body of so many pieces of a mebibyte, and how many were taken from it.
    fn pieces(many: usize) -> (impl Body<Data = Bytes, Error = std::io::Error> + Unpin, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let pieces = (0..many).map(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(Frame::data(Bytes::from(vec![b'a'; 1 << 20])))
        });
        (StreamBody::new(futures_util::stream::iter(pieces)), taken)
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_read_to_its_end_but_not_for_ever() {
        let (body, taken) = pieces(3);
        assert_eq!(read(body, 3 << 20, WAIT).await.map(|read| read.len()), Ok(3 << 20));
        assert_eq!(taken.load(Ordering::Relaxed), 3);
        let (body, taken) = pieces(9);
        assert_eq!((read(body, 3 << 20, WAIT).await, taken.load(Ordering::Relaxed)), (Err(Unread::Large), 9));
        let (body, taken) = pieces(1000);
        assert_eq!(read(body, 3 << 20, WAIT).await, Err(Unread::Large));
        let taken = taken.load(Ordering::Relaxed);
        assert!((32..=40).contains(&taken), "{taken} mebibytes");
    }

    #[tokio::test]
    async fn a_body_that_stops_is_not_waited_for() {
        let stops = || {
            let first =
                futures_util::stream::iter([Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![
                    b'a';
                    9
                ])))]);
            StreamBody::new(futures_util::StreamExt::chain(first, futures_util::stream::pending()))
        };
        assert_eq!(read(stops(), 10, Duration::from_millis(50)).await, Err(Unread::Slow));
        let large = tokio::time::timeout(WAIT, read(stops(), 8, 10 * WAIT)).await;
        assert_eq!(large, Ok(Err(Unread::Large)));
    }
}
