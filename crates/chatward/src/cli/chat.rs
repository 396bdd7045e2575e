//! `chatward chat URL`: a conversation through the encrypted channel, from a terminal or a script.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde::Deserialize;

use super::commands::say_error;
use super::exit;
use crate::channel::client::{Answer, Client, ClientError, Plain};
use crate::tls;

/// `chatward chat`
#[derive(Debug, Args)]
pub struct ChatArgs {
    /// The gateway: `https://chat.example`
    pub url: String,
    /// The public key that signs the gateway's list of keys; without it the one that it names itself is believed and shown
    #[arg(long, value_name = "KEY")]
    pub pin: Option<String>,
}

/// Sends each line that is typed or piped, and prints the answers as they come.
pub(super) fn run(args: &ChatArgs) -> anyhow::Result<ExitCode> {
    let pin = match args.pin.as_deref().map(read_pin) {
        Some(None) => {
            say_error("chatward: --pin: not a public key: 32 bytes in base64url");
            return Ok(ExitCode::from(exit::USAGE));
        }
        pin => pin.flatten(),
    };
    tls::install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(talk(args, pin)) {
        Ok(taken) => Ok(ExitCode::from(if taken { exit::OK } else { exit::FOUND })),
        Err(Failed::Io(error)) => Err(error.into()),
        Err(Failed::Channel(error)) => {
            say_error(format_args!("chatward: {error}"));
            Ok(ExitCode::from(match error {
                ClientError::List(_) | ClientError::Altered => exit::REFUSED,
                ClientError::Library => exit::INTERNAL,
                _ => exit::IO,
            }))
        }
    }
}

fn read_pin(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[derive(Debug)]
enum Failed {
    Io(io::Error),
    Channel(ClientError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Self {
        Self::Channel(error)
    }
}

/// Whether every message was taken. One that was not does not end the conversation.
async fn talk(args: &ChatArgs, pin: Option<[u8; 32]>) -> Result<bool, Failed> {
    let client = Client::new(&args.url, pin)?;
    let by = client.signed_by().await?;
    let (input, typed) = (io::stdin(), io::stdin().is_terminal());
    if pin.is_none() {
        say_error(format_args!(
            "The gateway's keys are signed by {}. Next time: --pin {0}",
            URL_SAFE_NO_PAD.encode(by)
        ));
    }
    let prompt = || {
        if typed {
            let _ = write!(io::stderr(), "> ").and_then(|()| io::stderr().flush());
        }
    };
    let mut taken = true;
    prompt();
    for line in input.lock().lines() {
        let line = line?;
        if !line.trim().is_empty() {
            let mut answer = client.fetch(&message(&line)).await?;
            taken &= print(&mut answer).await?;
        }
        prompt();
    }
    Ok(taken)
}

fn message(text: &str) -> Plain {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = serde_json::json!({ "text": text }).to_string();
    let path = Uri::from_static("/chat/v1/messages");
    Plain { method: Method::POST, path, headers, body: Bytes::from(body) }
}

/// Prints an answer as it comes. Says whether the message was taken.
async fn print(answer: &mut Answer) -> Result<bool, Failed> {
    let mut events = Events::default();
    let streamed = answer
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !streamed {
        let body = answer.body().await?;
        let text = printable(&String::from_utf8_lossy(&body));
        say_error(format_args!("chatward: {}: {text}", answer.status));
        return Ok(false);
    }
    let mut out = io::stdout();
    while let Some(piece) = answer.chunk().await? {
        for text in events.feed(&piece) {
            out.write_all(printable(&text).as_bytes())?;
            out.flush()?;
        }
    }
    writeln!(out)?;
    Ok(true)
}

/// A text without what a terminal would take for an order: control characters but line breaks and tabs.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// The texts in a stream of events; comments are skipped.
#[derive(Default)]
struct Events(Vec<u8>);

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
}

#[derive(Deserialize, Default)]
struct Delta {
    content: Option<String>,
}

impl Events {
    fn feed(&mut self, piece: &[u8]) -> Vec<String> {
        self.0.extend_from_slice(piece);
        let end = self.0.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.0.split_off(end);
        let lines = std::mem::replace(&mut self.0, rest);
        let said = |line: &[u8]| {
            let event: Event = serde_json::from_slice(line.strip_prefix(b"data:")?).ok()?;
            event.choices.into_iter().next()?.delta.content
        };
        lines.split(|byte| *byte == b'\n').filter_map(said).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_gives_the_terminal_no_orders() {
        assert_eq!(printable("a\u{1b}[2J\u{9b}31m\r\nb\tc\u{7}"), "a[2J31m\nb\tc");
    }

    #[test]
    fn texts_are_the_same_however_a_stream_is_cut() {
        let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"Grüß \"}}]}\n\n:   \n:\ndata: {\"choices\":[]}\n\n\
                      data: {\"choices\":[{\"delta\":{\"content\":\"Gott\"}}]}\n\ndata: [DONE]\n\n";
        for size in 1..stream.len() {
            let mut events = Events::default();
            let said: String = stream.as_bytes().chunks(size).flat_map(|piece| events.feed(piece)).collect();
            assert_eq!(said, "Grüß Gott", "{size}");
        }
    }
}
