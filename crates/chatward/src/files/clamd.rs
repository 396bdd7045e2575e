//! The daemon of ClamAV (`clamd(8)`, INSTREAM): a file is sent to it in pieces, and it answers in one line.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

/// Bytes of a file that are sent in one piece.
const PIECE: usize = 64 << 10;
/// Longest answer that is read, in bytes.
const ANSWER: u64 = 1024;
/// Longest name of what was found that is kept, in bytes.
const NAME: usize = 80;

/// Where the daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket of this machine.
    Unix(PathBuf),
    /// Over the network. Nothing is encrypted.
    Tcp(SocketAddr),
}

/// The daemon, and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clamd {
    /// Where it listens.
    pub address: Address,
    /// How long it may take, connecting included.
    pub patience: Duration,
    /// Largest file that it takes, in bytes (its `StreamMaxLength`).
    pub largest: usize,
}

/// What the daemon says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It found nothing.
    Clean,
    /// It found this.
    Found(String),
}

/// Why it says nothing.
#[derive(Debug, thiserror::Error)]
pub enum Silent {
    /// The file is larger than it takes.
    #[error("the file is larger than clamd takes")]
    TooLarge,
    /// It cannot be reached, or broke off.
    #[error("clamd cannot be asked: {0}")]
    Away(#[from] io::Error),
    /// It took too long.
    #[error("clamd did not answer in time")]
    Slow,
    /// Its answer is none.
    #[error("clamd did not answer as it should")]
    Odd,
}

impl Clamd {
    /// Asks for one file.
    ///
    /// # Errors
    /// [`Silent`], after at most [`Clamd::patience`].
    pub async fn scan(&self, file: &[u8]) -> Result<Said, Silent> {
        if file.len() > self.largest {
            return Err(Silent::TooLarge);
        }
        let asked = async {
            match &self.address {
                Address::Unix(path) => ask(UnixStream::connect(path).await?, file).await,
                Address::Tcp(address) => ask(TcpStream::connect(address).await?, file).await,
            }
        };
        tokio::time::timeout(self.patience, asked).await.map_err(|_| Silent::Slow)?
    }
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, file: &[u8]) -> Result<Said, Silent> {
    let sent = send(&mut stream, file).await;
    // It may have said why before it stopped listening.
    let mut answer = Vec::new();
    let read = stream.take(ANSWER).read_to_end(&mut answer).await;
    match said(&answer) {
        Some(said) => said,
        None => {
            sent?;
            read?;
            Err(Silent::Odd)
        }
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, file: &[u8]) -> io::Result<()> {
    stream.write_all(b"zINSTREAM\0").await?;
    for piece in file.chunks(PIECE) {
        let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
        stream.write_all(&length.to_be_bytes()).await?;
        stream.write_all(piece).await?;
    }
    stream.write_all(&[0; 4]).await?;
    stream.flush().await
}

/// Reads `stream: OK`, `stream: NAME FOUND` or `… ERROR`, with a zero at its end.
fn said(answer: &[u8]) -> Option<Result<Said, Silent>> {
    let line = std::str::from_utf8(answer.strip_suffix(b"\0").unwrap_or(answer)).ok()?.trim();
    if line.ends_with("ERROR") {
        let large = line.contains("size limit exceeded");
        return Some(Err(if large { Silent::TooLarge } else { Silent::Odd }));
    }
    let told = line.strip_prefix("stream: ")?;
    if told == "OK" {
        return Some(Ok(Said::Clean));
    }
    let name = told.strip_suffix(" FOUND")?;
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    Some(Ok(Said::Found(name.chars().filter(plain).take(NAME).collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_nothing_else_is_one() {
        assert!(matches!(said(b"stream: OK\0"), Some(Ok(Said::Clean))));
        let found = said(b"stream: Win.Test.EICAR_HDB-1 FOUND\0");
        assert!(matches!(found, Some(Ok(Said::Found(name))) if name == "Win.Test.EICAR_HDB-1"));
        let odd = said("stream: a b\n\u{202e}c FOUND\0".as_bytes());
        assert!(matches!(odd, Some(Ok(Said::Found(name))) if name == "abc"));
        assert!(matches!(said(b"INSTREAM size limit exceeded. ERROR\0"), Some(Err(Silent::TooLarge))));
        assert!(matches!(said(b"stream: Can't allocate memory ERROR\0"), Some(Err(Silent::Odd))));
        for nothing in [&b""[..], b"\0", b"OK\0", b"stream: ", b"stream: FOUND", b"\xff", b"HTTP/1.1 200 OK"]
        {
            assert!(said(nothing).is_none(), "{nothing:?}");
        }
    }

    /// A daemon that plays: it reads what comes, says something, and leaves.
    async fn played(reads: bool, says: &'static [u8], file: &[u8]) -> (Result<Said, Silent>, Vec<u8>) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let daemon = tokio::spawn(async move {
            let mut got = Vec::new();
            while reads && !got.ends_with(&[0; 4]) {
                let mut piece = [0; 1024];
                let n = theirs.read(&mut piece).await.unwrap();
                got.extend_from_slice(&piece[..n]);
            }
            theirs.write_all(says).await.unwrap();
            got
        });
        (ask(ours, file).await, daemon.await.unwrap())
    }

    #[tokio::test]
    async fn a_file_is_sent_in_pieces_with_their_lengths() {
        let file = vec![b'a'; PIECE + 3];
        let (said, got) = played(true, b"stream: OK\0", &file).await;
        assert_eq!(said.unwrap(), Said::Clean);
        let pieces =
            [b"zINSTREAM\0".as_slice(), &[0, 1, 0, 0], &file[3..], &[0, 0, 0, 3], b"aaa", &[0; 4]].concat();
        assert_eq!(got, pieces);
    }

    #[tokio::test]
    async fn a_daemon_that_fails_is_silent() {
        let (said, _) = played(true, b"", b"x").await;
        assert!(matches!(said, Err(Silent::Odd)));
        let (said, _) = played(true, &[b'a'; 5000], b"x").await;
        assert!(matches!(said, Err(Silent::Odd)));
        let (said, _) = played(false, b"INSTREAM size limit exceeded. ERROR\0", b"x").await;
        assert!(matches!(said, Err(Silent::TooLarge)));
    }

    #[tokio::test]
    async fn one_that_is_not_there_or_never_answers_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clamd.sock");
        let clamd =
            Clamd { address: Address::Unix(path.clone()), patience: Duration::from_millis(100), largest: 10 };
        assert!(matches!(clamd.scan(b"x").await, Err(Silent::Away(_))));
        assert!(matches!(clamd.scan(&[0; 11]).await, Err(Silent::TooLarge)));
        let _listening = tokio::net::UnixListener::bind(&path).unwrap();
        assert!(matches!(clamd.scan(b"x").await, Err(Silent::Slow)));
    }
}
