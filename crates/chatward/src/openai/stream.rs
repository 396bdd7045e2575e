//! An answer as server-sent events (WHATWG HTML §9.2), rewritten as it passes.
//!
//! [`Rewriter`] takes bytes as they come, cut anywhere, and gives the bytes to send. Each event stays one event; the
//! texts in it go through [`Channels`], which may hold some back; what is still held when a choice ends, a usage chunk,
//! an error or the end comes, is sent before it: in the same event if that has the text's place, else in an event of
//! its own. Fields, events and comments that are unknown pass byte for byte.
//!
//! Limits. `choices[].message`, `choices[].text` and `logprobs` in a chunk would repeat the text unrewritten: they
//! become `null`. Data that is not a JSON object ends the stream with an error: it cannot be inspected.

use std::fmt;
use std::ops::Range;

use memchr::memchr2;

use super::answer::{Channel, ENVELOPE, Form, Found, NotAnAnswer};
use super::arguments::Lexer;
use super::json;
use super::{Problem, answer};

/// The headers a stream is answered with; no length, no compression, no buffering on the way.
pub const HEADERS: [(&str, &str); 3] =
    [("content-type", "text/event-stream"), ("cache-control", "no-cache"), ("x-accel-buffering", "no")];

/// Names one run of text of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelKey {
    /// The `index` of the choice.
    pub choice: u32,
    /// Where in the choice.
    pub channel: Channel,
}

/// What happens to the texts of a stream.
///
/// A text begins with the first `push` of its key and ends with `finish`; after that the same key may begin another
/// one. Of tool arguments each inner string is one text, its escapes undone (and put back by the rewriter), so a
/// restored value never has to be escaped here. Function names are pushed and finished in one go.
pub trait Channels {
    /// Why a stream must stop.
    type Error;

    /// Takes a piece; appends to `out` what may be sent now.
    ///
    /// # Errors
    ///
    /// If the stream must stop here.
    fn push(&mut self, key: ChannelKey, piece: &str, out: &mut String) -> Result<(), Self::Error>;

    /// Nothing came for a while: appends what is held back and need not wait for more. The text goes on.
    fn pause(&mut self, _key: ChannelKey, _out: &mut String) {}

    /// The text ends: appends all that is held back.
    ///
    /// # Errors
    ///
    /// If the stream must stop here.
    fn finish(&mut self, key: ChannelKey, out: &mut String) -> Result<(), Self::Error>;
}

/// Why a stream cannot go on. Call [`Rewriter::cut`] with an error for the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamError<E> {
    /// The bot: an event is longer than allowed.
    #[error("an event is longer than {0} bytes")]
    TooBig(usize),
    /// The bot: more texts are open at once than allowed.
    #[error("more than {0} texts are open at once")]
    TooMany(usize),
    /// The bot: an event is not what this protocol has.
    #[error(transparent)]
    NotAnAnswer(#[from] NotAnAnswer),
    /// The [`Channels`] say stop.
    #[error("stopped by the inspection of the answer")]
    Stopped(E),
}

/// How a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It still runs.
    Open,
    /// `[DONE]` came: it ended properly.
    Done,
    /// The bot told an error in mid-stream, which was passed on.
    Failed,
    /// It broke off, and the customer was told so.
    Cut,
}

/// Bounds for one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes of one event.
    pub event: usize,
    /// Texts open at once.
    pub texts: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { event: 1 << 20, texts: 1024 }
    }
}

/// A text that has begun.
struct Open {
    key: ChannelKey,
    lexer: Lexer,
}

/// A chunk with one text, cut at it. Most chunks of a stream differ in nothing but their text: they need not be read
/// as JSON again.
#[derive(Default)]
struct Usual {
    /// Up to the text and its quotation mark.
    head: String,
    /// From behind its other quotation mark.
    tail: String,
    key: Option<ChannelKey>,
}

impl Usual {
    /// Remembers a chunk that was read, if it is one like that.
    fn learn(&mut self, payload: &str, found: &Found) {
        let ([hit], [choice]) = (&*found.hits, &*found.choices) else { return };
        let Some(channel) = hit.channel.filter(|channel| !channel.is_whole()) else { return };
        if found.error || found.usage || choice.finished {
            return;
        }
        let (Some(head), Some(tail)) = (payload.get(..hit.at.start), payload.get(hit.at.end..)) else {
            return;
        };
        head.clone_into(&mut self.head);
        tail.clone_into(&mut self.tail);
        self.key = Some(ChannelKey { choice: choice.index, channel });
    }

    /// The text of another chunk that differs in nothing else. It has no escapes: in the place of one string, any other
    /// plain one is as much JSON, with everything where it was.
    fn text_of<'a>(&self, payload: &'a str) -> Option<(ChannelKey, &'a str)> {
        let key = self.key?;
        let text = json::quoted(payload.strip_prefix(&*self.head)?.strip_suffix(&*self.tail)?)?;
        text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\').then_some((key, text))
    }
}

/// Rewrites one stream.
pub struct Rewriter {
    limits: StreamLimits,
    /// The event that has not ended yet, from its first byte.
    held: Vec<u8>,
    /// How much of `held` is known to hold no further line end, and where its last line begins.
    lines: Lines,
    /// A `\r` ended the last event: a `\n` right after it belongs to it.
    after_cr: bool,
    first: bool,
    ending: Ending,
    open: Vec<Open>,
    /// `{"id":…,…,` of the last chunk, to make events of our own from.
    envelope: Vec<u8>,
    envelope_of: String,
    found: Found,
    usual: Usual,
    text: String,
}

impl fmt::Debug for Rewriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewriter")
            .field("held", &self.held.len())
            .field("ending", &self.ending)
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}

impl Default for Rewriter {
    fn default() -> Self {
        Self::new(StreamLimits::default())
    }
}

impl Rewriter {
    /// For a new stream.
    pub fn new(limits: StreamLimits) -> Self {
        Self {
            limits,
            held: Vec::new(),
            lines: Lines::default(),
            after_cr: false,
            first: true,
            ending: Ending::Open,
            open: Vec::new(),
            envelope: Vec::new(),
            envelope_of: String::new(),
            found: Found::default(),
            usual: Usual::default(),
            text: String::new(),
        }
    }

    /// How the stream stands.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// Takes what came and appends to `out` what is to be sent for it. After the end everything is swallowed.
    ///
    /// # Errors
    ///
    /// See [`StreamError`]; what `out` then holds may be sent, after it only what [`Rewriter::cut`] writes.
    pub fn push<C: Channels + ?Sized>(
        &mut self,
        bytes: &[u8],
        channels: &mut C,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamError<C::Error>> {
        if self.held.is_empty() {
            let used = self.events_in(bytes, channels, out)?;
            let rest = bytes.get(used..).unwrap_or_default();
            self.held.extend_from_slice(rest);
        } else {
            self.held.extend_from_slice(bytes);
            let held = std::mem::take(&mut self.held);
            let used = self.events_in(&held, channels, out)?;
            self.held = held;
            self.held.drain(..used);
        }
        if self.held.len() > self.limits.event {
            return Err(StreamError::TooBig(self.limits.event));
        }
        Ok(())
    }

    /// Nothing came for a while: what the [`Channels`] let go of words is sent in events of its own. The arguments of tools
    /// wait: nobody reads them before their end.
    pub fn pause<C: Channels + ?Sized>(&mut self, channels: &mut C, out: &mut Vec<u8>) {
        if self.ending != Ending::Open {
            return;
        }
        for open in &self.open {
            if open.key.channel.is_json() {
                continue;
            }
            self.text.clear();
            channels.pause(open.key, &mut self.text);
            own_event(&self.envelope, open.key, &self.text, out);
        }
    }

    /// The bot's side has ended. If it ended properly there is nothing to do; if not, what is held is sent, and
    /// `broken` after it.
    ///
    /// # Errors
    ///
    /// If the [`Channels`] say stop while the rest is sent.
    pub fn finish<C: Channels + ?Sized>(
        &mut self,
        broken: &Problem,
        channels: &mut C,
        out: &mut Vec<u8>,
    ) -> Result<Ending, StreamError<C::Error>> {
        if self.ending == Ending::Open && std::str::from_utf8(&self.held).is_ok_and(is_done) {
            // The last empty line is often forgotten.
            self.flush_all(channels, out)?;
            out.extend_from_slice(b"data: [DONE]\n\n");
            self.ending = Ending::Done;
        }
        if self.ending == Ending::Open {
            self.flush_all(channels, out)?;
            self.cut(broken, out);
        }
        self.held = Vec::new();
        Ok(self.ending)
    }

    /// Ends the stream here with an error event; what is held back is never sent.
    pub fn cut(&mut self, problem: &Problem, out: &mut Vec<u8>) {
        if self.ending == Ending::Open {
            out.extend_from_slice(&problem.event());
            self.ending = Ending::Cut;
        }
        self.held = Vec::new();
        self.open.clear();
    }

    /// Handles all events that end within these bytes; says how many bytes are used up.
    fn events_in<C: Channels + ?Sized>(
        &mut self,
        bytes: &[u8],
        channels: &mut C,
        out: &mut Vec<u8>,
    ) -> Result<usize, StreamError<C::Error>> {
        let mut start = 0;
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            if bytes.first() == Some(&b'\n') {
                start = 1;
                if self.ending == Ending::Open {
                    out.push(b'\n');
                }
            }
        }
        loop {
            let event = bytes.get(start..).unwrap_or_default();
            let Some(line) = self.lines.next(event) else { break };
            if line.is_empty() {
                let mut end = self.lines.start;
                if event.get(line.end) == Some(&b'\r') && end == line.end + 1 {
                    match event.get(end) {
                        Some(b'\n') => end += 1,
                        Some(_) => {}
                        None => self.after_cr = true,
                    }
                }
                let event = event.get(..end).unwrap_or_default();
                self.event(event, channels, out)?;
                start += end;
                self.lines = Lines::default();
            } else if line.start == 0 && event.first() == Some(&b':') {
                // A comment by itself is a heartbeat, and must not wait.
                let end = self.lines.start;
                let comment = event.get(..end).unwrap_or_default();
                if self.ending == Ending::Open {
                    std::str::from_utf8(comment).map_err(|_| NotAnAnswer::NotUtf8)?;
                    out.extend_from_slice(comment);
                }
                start += end;
                self.lines = Lines::default();
            }
        }
        Ok(start)
    }

    /// One event, with its line ends and the empty line.
    fn event<C: Channels + ?Sized>(
        &mut self,
        raw: &[u8],
        channels: &mut C,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamError<C::Error>> {
        if self.ending != Ending::Open {
            return Ok(());
        }
        if raw.len() > self.limits.event {
            return Err(StreamError::TooBig(self.limits.event));
        }
        let mut raw = std::str::from_utf8(raw).map_err(|_| NotAnAnswer::NotUtf8)?;
        if std::mem::take(&mut self.first) {
            raw = raw.strip_prefix('\u{FEFF}').unwrap_or(raw);
        }
        let mut data: Option<Range<usize>> = None;
        let mut more = false;
        let mut lines = Lines::default();
        while let Some(line) = lines.next(raw.as_bytes()).or_else(|| lines.rest(raw.len())) {
            let Some(value) = data_of(raw, &line) else { continue };
            more |= data.is_some();
            data.get_or_insert(value);
        }
        let Some(data) = data else {
            out.extend_from_slice(raw.as_bytes());
            return Ok(());
        };
        if more {
            return self.long_event(raw, channels, out);
        }
        let payload = raw.get(data.clone()).unwrap_or_default();
        let before = raw.get(..data.start).unwrap_or_default();
        let after = raw.get(data.end..).unwrap_or_default();
        self.payload(payload, before, after, channels, out)
    }

    /// An event with several `data` lines: they are one text with line feeds between.
    fn long_event<C: Channels + ?Sized>(
        &mut self,
        raw: &str,
        channels: &mut C,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamError<C::Error>> {
        let (mut payload, mut before) = (String::new(), String::new());
        let mut lines = Lines::default();
        let mut first = true;
        while let Some(line) = lines.next(raw.as_bytes()).or_else(|| lines.rest(raw.len())) {
            match data_of(raw, &line) {
                Some(value) => {
                    if !std::mem::take(&mut first) {
                        payload.push('\n');
                    }
                    payload.push_str(raw.get(value).unwrap_or_default());
                }
                None if line.is_empty() => {}
                None => {
                    before.push_str(raw.get(line).unwrap_or_default());
                    before.push('\n');
                }
            }
        }
        before.push_str("data: ");
        // JSON has a line feed only between its tokens, where a space does as well.
        let payload = payload.replace('\n', " ");
        // The empty line ends as it came: its `\n` may still be on its way.
        let after = match (raw.ends_with("\r\n"), raw.ends_with('\r')) {
            (true, _) => "\n\r\n",
            (_, true) => "\n\r",
            _ => "\n\n",
        };
        self.payload(&payload, &before, after, channels, out)
    }

    fn payload<C: Channels + ?Sized>(
        &mut self,
        payload: &str,
        before: &str,
        after: &str,
        channels: &mut C,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamError<C::Error>> {
        if let Some((key, text)) = self.usual.text_of(payload) {
            let begin = out.len();
            for part in [before, &self.usual.head] {
                out.extend_from_slice(part.as_bytes());
            }
            self.text.clear();
            if let Err(error) = self.advance(key, text, false, channels) {
                return Err(self.stopped(error, key, begin, out));
            }
            out.push(b'"');
            json::escape(&self.text, out);
            out.push(b'"');
            for part in [&self.usual.tail, after] {
                out.extend_from_slice(part.as_bytes());
            }
            return Ok(());
        }
        let whole = |out: &mut Vec<u8>| {
            for part in [before, payload, after] {
                out.extend_from_slice(part.as_bytes());
            }
        };
        match payload.trim() {
            "" => {
                whole(out);
                return Ok(());
            }
            "[DONE]" => {
                self.flush_all(channels, out)?;
                whole(out);
                self.ending = Ending::Done;
                return Ok(());
            }
            _ => {}
        }
        let mut found = std::mem::take(&mut self.found);
        let done = match found.search(payload, Form::Chunk) {
            Ok(()) => self.chunk(payload, &found, before, after, channels, out),
            Err(error) => Err(error.into()),
        };
        self.found = found;
        done
    }

    fn chunk<C: Channels + ?Sized>(
        &mut self,
        payload: &str,
        found: &Found,
        before: &str,
        after: &str,
        channels: &mut C,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamError<C::Error>> {
        if found.has_choices {
            self.remember(payload, found);
            self.usual.learn(payload, found);
        }
        if found.error || (found.usage && found.choices.is_empty()) {
            self.flush_all(channels, out)?;
        }
        for (place, choice) in found.choices.iter().enumerate() {
            if choice.finished {
                self.flush_choice(choice.index, place, found, channels, out)?;
            }
        }
        let begin = out.len();
        out.extend_from_slice(before.as_bytes());
        let mut done = 0;
        for (number, hit) in found.hits.iter().enumerate() {
            let raw = payload.get(hit.at.clone()).unwrap_or_default();
            out.extend_from_slice(payload.get(done..hit.at.start).unwrap_or_default().as_bytes());
            done = hit.at.end;
            let Some(channel) = hit.channel else {
                out.extend_from_slice(b"null");
                continue;
            };
            let choice = found.choices.get(hit.choice);
            let index = if channel == Channel::Error { 0 } else { choice.map_or(0, |choice| choice.index) };
            let key = ChannelKey { choice: index, channel };
            let last = channel.is_whole()
                || (choice.is_some_and(|choice| choice.finished)
                    && !found.hits.iter().skip(number + 1).any(|later| same(later, hit)));
            let piece = json::unescape_lossy(json::quoted(raw).unwrap_or_default());
            self.text.clear();
            if let Err(error) = self.advance(key, &piece, last, channels) {
                return Err(self.stopped(error, key, begin, out));
            }
            if self.text == *piece {
                out.extend_from_slice(raw.as_bytes());
            } else {
                out.push(b'"');
                json::escape(&self.text, out);
                out.push(b'"');
            }
        }
        out.extend_from_slice(payload.get(done..).unwrap_or_default().as_bytes());
        out.extend_from_slice(after.as_bytes());
        if found.error {
            self.ending = Ending::Failed;
        }
        Ok(())
    }

    /// Gives a piece to its text, and leaves in `self.text` what may be sent.
    fn advance<C: Channels + ?Sized>(
        &mut self,
        key: ChannelKey,
        piece: &str,
        last: bool,
        channels: &mut C,
    ) -> Result<(), StreamError<C::Error>> {
        let stop = StreamError::Stopped;
        if key.channel.is_whole() {
            if !piece.is_empty() {
                channels.push(key, piece, &mut self.text).map_err(stop)?;
                channels.finish(key, &mut self.text).map_err(stop)?;
            }
            return Ok(());
        }
        let place = match self.open.iter().position(|open| open.key == key) {
            Some(place) => place,
            None if piece.is_empty() => return Ok(()),
            None if self.open.len() >= self.limits.texts => {
                return Err(StreamError::TooMany(self.limits.texts));
            }
            None => {
                self.open.push(Open { key, lexer: Lexer::default() });
                self.open.len() - 1
            }
        };
        if let Some(open) = self.open.get_mut(place) {
            if key.channel.is_json() {
                open.lexer.push(key, piece, channels, &mut self.text).map_err(stop)?;
            } else if !piece.is_empty() {
                channels.push(key, piece, &mut self.text).map_err(stop)?;
            }
        }
        if last {
            self.close(place, channels)?;
        }
        Ok(())
    }

    /// Ends an open text; what it held is appended to `self.text`.
    fn close<C: Channels + ?Sized>(
        &mut self,
        place: usize,
        channels: &mut C,
    ) -> Result<(), StreamError<C::Error>> {
        let Open { key, mut lexer } = self.open.remove(place);
        if key.channel.is_json() {
            lexer.finish(key, channels, &mut self.text).map_err(StreamError::Stopped)
        } else {
            channels.finish(key, &mut self.text).map_err(StreamError::Stopped)
        }
    }

    /// The [`Channels`] say stop in the middle of an event that begins at `begin`: in its place goes what of this text may go
    /// out.
    fn stopped<E>(
        &mut self,
        error: StreamError<E>,
        key: ChannelKey,
        begin: usize,
        out: &mut Vec<u8>,
    ) -> StreamError<E> {
        out.truncate(begin);
        if matches!(error, StreamError::Stopped(_)) {
            own_event(&self.envelope, key, &self.text, out);
        }
        error
    }

    /// Ends all texts of a choice that have no place in this event.
    fn flush_choice<C: Channels + ?Sized>(
        &mut self,
        index: u32,
        place: usize,
        found: &Found,
        channels: &mut C,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamError<C::Error>> {
        let mut next = 0;
        while let Some(open) = self.open.get(next) {
            let key = open.key;
            let here = found.hits.iter().any(|hit| hit.choice == place && hit.channel == Some(key.channel));
            if key.choice != index || here {
                next += 1;
                continue;
            }
            self.flush(next, channels, out)?;
        }
        Ok(())
    }

    fn flush_all<C: Channels + ?Sized>(
        &mut self,
        channels: &mut C,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamError<C::Error>> {
        while !self.open.is_empty() {
            self.flush(0, channels, out)?;
        }
        Ok(())
    }

    /// Ends one open text and sends what it held in an event of its own.
    fn flush<C: Channels + ?Sized>(
        &mut self,
        place: usize,
        channels: &mut C,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamError<C::Error>> {
        let Some(key) = self.open.get(place).map(|open| open.key) else { return Ok(()) };
        self.text.clear();
        let begin = out.len();
        if let Err(error) = self.close(place, channels) {
            return Err(self.stopped(error, key, begin, out));
        }
        own_event(&self.envelope, key, &self.text, out);
        Ok(())
    }

    /// Keeps the envelope of a chunk, if it is another one than before.
    fn remember(&mut self, payload: &str, found: &Found) {
        let id = found.envelope.first().cloned().flatten().and_then(|at| payload.get(at)).unwrap_or_default();
        if !self.envelope.is_empty() && id == self.envelope_of {
            return;
        }
        id.clone_into(&mut self.envelope_of);
        self.envelope.clear();
        self.envelope.extend_from_slice(b"{\"object\":\"chat.completion.chunk\",");
        for (name, at) in ENVELOPE.iter().zip(&found.envelope) {
            let Some(raw) = at.clone().and_then(|at| payload.get(at)) else { continue };
            self.envelope.extend_from_slice(format!("\"{name}\":{raw},").as_bytes());
        }
    }
}

/// An event of our own with words that have no place in one of the bot's; none for no words.
fn own_event(envelope: &[u8], key: ChannelKey, text: &str, out: &mut Vec<u8>) {
    if text.is_empty() {
        return;
    }
    let (head, tail) = match key.channel {
        Channel::Content | Channel::Error => (r#""content":""#.to_owned(), ""),
        Channel::Refusal => (r#""refusal":""#.to_owned(), ""),
        Channel::Reasoning => (r#""reasoning_content":""#.to_owned(), ""),
        Channel::Transcript => (r#""audio":{"transcript":""#.to_owned(), "}"),
        Channel::ToolName(index) => {
            (format!(r#""tool_calls":[{{"index":{index},"function":{{"name":""#), "}}]")
        }
        Channel::ToolArguments(index) => {
            (format!(r#""tool_calls":[{{"index":{index},"function":{{"arguments":""#), "}}]")
        }
        Channel::ToolInput(index) => {
            (format!(r#""tool_calls":[{{"index":{index},"custom":{{"input":""#), "}}]")
        }
        Channel::FunctionName => (r#""function_call":{"name":""#.to_owned(), "}"),
        Channel::FunctionArguments => (r#""function_call":{"arguments":""#.to_owned(), "}"),
    };
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(envelope);
    out.extend_from_slice(format!(r#""choices":[{{"index":{},"delta":{{"#, key.choice).as_bytes());
    out.extend_from_slice(head.as_bytes());
    json::escape(text, out);
    out.push(b'"');
    out.extend_from_slice(tail.as_bytes());
    out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
}

fn same(a: &answer::Hit, b: &answer::Hit) -> bool {
    a.choice == b.choice && a.channel == b.channel
}

/// Whether these are the last words of a stream that forgot its last empty line.
fn is_done(held: &str) -> bool {
    held.trim().strip_prefix("data:").is_some_and(|value| value.trim() == "[DONE]")
}

/// The value of a `data` line, one space after the colon dropped.
fn data_of(text: &str, line: &Range<usize>) -> Option<Range<usize>> {
    let rest = text.get(line.clone())?.strip_prefix("data")?;
    let value = match rest.strip_prefix(':') {
        Some(value) => value.strip_prefix(' ').unwrap_or(value),
        None if rest.is_empty() => rest,
        None => return None,
    };
    Some(line.end - value.len()..line.end)
}

/// Finds lines, whose ends are `\n`, `\r\n` or `\r`, in a text that may still grow.
#[derive(Debug, Default)]
struct Lines {
    /// Where the line begins that is searched for.
    start: usize,
    /// Up to where it is known to have no end.
    searched: usize,
}

impl Lines {
    /// The next line that surely has ended, without its end. At the very end of the text a `\r` after an empty line
    /// counts as its end; after any other line it waits for what follows.
    fn next(&mut self, bytes: &[u8]) -> Option<Range<usize>> {
        let rest = bytes.get(self.searched..).unwrap_or_default();
        let Some(found) = memchr2(b'\n', b'\r', rest) else {
            self.searched = bytes.len();
            return None;
        };
        let end = self.searched + found;
        let line = self.start..end;
        let next = match (bytes.get(end), bytes.get(end + 1)) {
            (Some(b'\r'), Some(b'\n')) if !line.is_empty() => end + 2,
            (Some(b'\r'), None) if !line.is_empty() => {
                self.searched = end;
                return None;
            }
            _ => end + 1,
        };
        (self.start, self.searched) = (next, next);
        Some(line)
    }

    /// The line that has no end, once.
    fn rest(&mut self, len: usize) -> Option<Range<usize>> {
        let line = self.start..len;
        (self.start, self.searched) = (len, len);
        (!line.is_empty()).then_some(line)
    }
}

#[cfg(test)]
mod tests;
