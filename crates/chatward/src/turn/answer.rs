//! The way back: what the bot says is inspected, restored for its reader, and written down before its last byte goes out.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_lc_rs::digest;
use bytes::Bytes;
use chatward_message::{Action, ConversationId, Count, Event, Facts, Place, Sealed, Subject, TurnId};
use chatward_store::{CloseTurn, TurnState};
use chatward_vault::{CustomerKey, Mode, ReplyText, Restorer};
use http_body::{Body, Frame};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};

use super::whose::{History, Names};
use super::{Force, Gate, Told, TurnError, UnderWay};
use crate::conduct::Who;
use crate::openai::stream::{ChannelKey, Channels, Ending, Rewriter, StreamError};
use crate::openai::{self, Channel};
use crate::problem::Code;
use crate::seeing::{Direction, Stage};
use crate::threats::answer::Sight;
use crate::upstream::UpstreamError;

/// Events that have come are gathered into one write up to so many bytes.
const GATHER: usize = 16 * 1024;

/// Everything that the end of a turn needs; owned, because the end may come after the client has left.
pub(super) struct Closing {
    pub(super) gate: Arc<Gate>,
    /// Counts the turn as under way until it is closed.
    #[expect(dead_code, reason = "held for its end")]
    pub(super) under_way: UnderWay,
    pub(super) force: Arc<Force>,
    pub(super) turn: TurnId,
    pub(super) subject: Subject,
    pub(super) key: CustomerKey,
    pub(super) upstream: Arc<str>,
    /// Whether all that the turn is kept for allows special categories.
    pub(super) special: bool,
    pub(super) restorer: Arc<Restorer>,
    /// With what the answer is watched for attacks, if it is.
    pub(super) sight: Option<Arc<Sight>>,
    pub(super) conversation: ConversationId,
    /// Whose conversation it is, as it is counted.
    pub(super) who: Who,
    /// For conversations that have no name: the history so far, to be continued by the answer.
    pub(super) history: Option<(Names, digest::Context)>,
}

/// The text channels of one answer, each restored on its own.
pub(super) struct Answered {
    restorer: Arc<Restorer>,
    special: bool,
    force: Arc<Force>,
    sight: Option<Arc<Sight>>,
    open: Vec<(ChannelKey, ReplyText)>,
    done: Vec<(ChannelKey, ReplyText)>,
    /// Running hashes of delivered contents, one a choice, and their lengths.
    delivered: Vec<(u32, digest::Context, u64)>,
    history: Option<digest::Context>,
}

impl Answered {
    pub(super) fn new(closing: &Closing) -> Self {
        Self {
            restorer: Arc::clone(&closing.restorer),
            special: closing.special,
            force: Arc::clone(&closing.force),
            sight: closing.sight.clone(),
            open: Vec::new(),
            done: Vec::new(),
            delivered: Vec::new(),
            history: closing.history.as_ref().map(|(_, history)| history.clone()),
        }
    }

    /// Restores one whole text, unless it must not go out.
    pub(super) fn whole(&mut self, key: ChannelKey, text: &str) -> Result<String, Stopped> {
        let mut out = String::with_capacity(text.len() + 64);
        self.push(key, text, &mut out)?;
        self.finish(key, &mut out)?;
        Ok(out)
    }

    /// A text of the answer, from its beginning.
    fn begin(&self, key: ChannelKey) -> ReplyText {
        let (restorer, table) = (Arc::clone(&self.restorer), Arc::clone(self.force.table_for(self.special)));
        let text = ReplyText::new(restorer, self.force.answer_window(), table, Mode::Text);
        match &self.sight {
            Some(sight) if is_read(key.channel) => text.watched(sight.watch()),
            _ => text,
        }
    }

    fn deliver(&mut self, key: ChannelKey, text: &str) {
        let Some(history) = &self.history else { return };
        if key.channel != Channel::Content || text.is_empty() {
            return;
        }
        let at = self.delivered.iter().position(|(choice, ..)| *choice == key.choice).unwrap_or_else(|| {
            self.delivered.push((key.choice, history.clone(), 0));
            self.delivered.len() - 1
        });
        if let Some((_, hash, length)) = self.delivered.get_mut(at) {
            hash.update(text.as_bytes());
            *length += text.len() as u64;
        }
    }

    /// Bytes of the bot's text held back now, over all channels.
    fn held(&self) -> usize {
        self.open.iter().map(|(_, text)| text.held()).sum()
    }

    /// Ends channels that are still open (the answer broke off): their text is kept as far as it came.
    fn finish_all(&mut self) {
        let mut lost = String::new();
        for (key, mut text) in std::mem::take(&mut self.open) {
            text.finish(&mut lost);
            self.done.push((key, text));
        }
    }

    fn facts(&self, facts: &mut Facts) {
        for (_, text) in &self.done {
            let report = text.report();
            facts.restored = facts.restored.saturating_add(report.restored);
            facts.missed = facts.missed.saturating_add(report.missed);
            for count in &report.counts {
                add(&mut facts.found, count);
            }
        }
    }

    /// What is kept of the answer: the bot's own words, placeholders and all.
    fn kept(&self) -> Vec<u8> {
        let texts: Vec<KeptText<'_>> = self
            .done
            .iter()
            .filter(|(_, text)| !text.kept().is_empty())
            .map(|(key, text)| KeptText { choice: key.choice, channel: name(key.channel), text: text.kept() })
            .collect();
        serde_json::to_vec(&texts).unwrap_or_default()
    }

    /// What people read of it, as the bot wrote it.
    fn said(&self) -> String {
        let read = self.done.iter().filter(|(key, _)| is_read(key.channel));
        read.map(|(_, text)| text.kept()).collect::<Vec<_>>().join("\n")
    }

    fn tags(&self, closing: &Closing) -> Vec<[u8; 16]> {
        let Some((names, history)) = &closing.history else { return Vec::new() };
        let tag = |answered, length| names.tag(&closing.gate, &History::with_answer(answered, length));
        if self.delivered.is_empty() {
            // An answer without words (a tool call) is a message all the same.
            return vec![tag(history.clone(), 0)];
        }
        self.delivered.iter().map(|(_, hash, length)| tag(hash.clone(), *length)).collect()
    }
}

fn add(counts: &mut Vec<Count>, more: &Count) {
    let same = |c: &&mut Count| c.kind == more.kind && c.class == more.class && c.operator == more.operator;
    match counts.iter_mut().find(same) {
        Some(count) => count.n = count.n.saturating_add(more.n),
        None => counts.push(more.clone()),
    }
}

#[derive(Serialize)]
struct KeptText<'a> {
    choice: u32,
    channel: &'static str,
    text: &'a str,
}

fn name(channel: Channel) -> &'static str {
    match channel {
        Channel::Content => "content",
        Channel::Refusal => "refusal",
        Channel::Reasoning => "reasoning",
        Channel::Transcript => "transcript",
        Channel::ToolName(_) | Channel::FunctionName => "tool-name",
        Channel::ToolArguments(_) | Channel::FunctionArguments => "tool-arguments",
        Channel::ToolInput(_) => "tool-input",
        Channel::Error => "error",
    }
}

/// Whether people read it: the arguments of tools are for programs.
fn is_read(channel: Channel) -> bool {
    matches!(channel, Channel::Content | Channel::Refusal | Channel::Reasoning | Channel::Transcript)
}

/// An answer must not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped;

impl From<Stopped> for TurnError {
    fn from(Stopped: Stopped) -> Self {
        Self::Told(Code::AnswerStopped)
    }
}

impl Channels for Answered {
    type Error = Stopped;

    fn push(&mut self, key: ChannelKey, piece: &str, out: &mut String) -> Result<(), Self::Error> {
        let before = out.len();
        let at = self.open.iter().position(|(open, _)| *open == key).unwrap_or_else(|| {
            self.open.push((key, self.begin(key)));
            self.open.len() - 1
        });
        let mut stopped = false;
        if let Some((_, text)) = self.open.get_mut(at) {
            text.push(piece, out);
            stopped = text.is_stopped();
        }
        self.deliver(key, out.get(before..).unwrap_or_default());
        if stopped { Err(Stopped) } else { Ok(()) }
    }

    fn pause(&mut self, key: ChannelKey, out: &mut String) {
        let before = out.len();
        if let Some((_, text)) = self.open.iter_mut().find(|(open, _)| *open == key) {
            text.pause(&self.force.heeded, out);
        }
        self.deliver(key, out.get(before..).unwrap_or_default());
    }

    fn finish(&mut self, key: ChannelKey, out: &mut String) -> Result<(), Self::Error> {
        let before = out.len();
        let mut stopped = false;
        if let Some(at) = self.open.iter().position(|(open, _)| *open == key) {
            let (key, mut text) = self.open.swap_remove(at);
            text.finish(out);
            stopped = text.is_stopped();
            self.done.push((key, text));
        }
        self.deliver(key, out.get(before..).unwrap_or_default());
        if stopped { Err(Stopped) } else { Ok(()) }
    }
}

impl Closing {
    /// Commit 2: the sealed answer, its history tags and the closing event become durable together. Gives the threats of the
    /// answer that the caller is told of.
    pub(super) async fn commit(
        self,
        mut answered: Answered,
        state: TurnState,
        reason: Option<Code>,
    ) -> Result<Told, TurnError> {
        answered.finish_all();
        let gate = &self.gate;
        let started = Instant::now();
        let mut facts = Facts {
            upstream: Some(Arc::clone(&self.upstream)),
            rules: Some(Arc::clone(self.force.detector.hash())),
            reason: reason.map(Code::as_str),
            ..Facts::default()
        };
        answered.facts(&mut facts);
        let mut told = Told::default();
        if let Some(sight) = &self.sight {
            let mut watched = sight.watched(&facts.found);
            watched.answered(sight.look(), gate, self.who, &answered.said());
            watched.tell(gate, self.turn, &self.upstream, self.conversation);
            facts.threats = watched.recognised();
            told.threats = watched.told();
        }
        for count in &facts.found {
            gate.metrics.findings(&count.kind, Direction::ToCustomer, u64::from(count.n));
        }
        gate.metrics.restored(u64::from(facts.restored), u64::from(facts.missed));
        let action = match state {
            TurnState::Closed => Action::TurnClosed,
            TurnState::Abandoned => Action::TurnAbandoned,
            TurnState::Refused => Action::TurnRefused,
            TurnState::Open | TurnState::Failed | TurnState::Interrupted => Action::TurnFailed,
        };
        let tags = if state == TurnState::Closed { answered.tags(&self) } else { Vec::new() };
        let reply = self.seal(&answered.kept())?;
        let at = gate.clock.now();
        gate.store
            .close_turn(CloseTurn {
                tenant: gate.tenant.clone(),
                turn: self.turn,
                at,
                state,
                reply: Some(reply),
                history_tags: tags,
                event: Event {
                    at,
                    tenant: gate.tenant.clone(),
                    action,
                    turn: Some(self.turn),
                    subject: Some(self.subject),
                    facts,
                },
            })
            .await?;
        let took = started.elapsed();
        gate.metrics.overhead(Stage::Commit2, took);
        gate.metrics.commit(took);
        Ok(told)
    }

    fn seal(&self, kept: &[u8]) -> Result<Sealed, TurnError> {
        let place =
            Place { tenant: &self.gate.tenant, table: "turns", column: "reply", row: self.turn.as_bytes() };
        Ok(self.gate.vault.seal(&self.key, place, kept)?)
    }

    /// A plain answer: restored whole, durable, then handed out.
    pub(super) async fn plain(self, mut reply: openai::Reply) -> Result<(Bytes, Told), TurnError> {
        let started = Instant::now();
        let mut answered = Answered::new(&self);
        let keys: Vec<ChannelKey> = reply
            .fields()
            .iter()
            .map(|field| ChannelKey { choice: field.choice, channel: field.channel })
            .collect();
        let restored: Result<Vec<String>, Stopped> = keys
            .into_iter()
            .zip(reply.take_texts())
            .map(|(key, text)| answered.whole(key, text.expose()))
            .collect();
        let Ok(restored) = restored else { return Err(self.stopped(answered).await) };
        let body = reply.fill(&restored).map_err(|_| TurnError::Internal("an answer lost a text"))?;
        self.gate.metrics.overhead(Stage::Restore, started.elapsed());
        let told = self.commit(answered, TurnState::Closed, None).await?;
        Ok((body, told))
    }

    /// An answer that must not go out: that is written down, and told in its place.
    async fn stopped(self, answered: Answered) -> TurnError {
        self.gate.metrics.blocked(Code::AnswerStopped);
        match self.commit(answered, TurnState::Failed, Some(Code::AnswerStopped)).await {
            Ok(_) => Stopped.into(),
            Err(error) => error,
        }
    }

    /// An error of the bot in this protocol's own shape: its message is restored like any text.
    pub(super) async fn error(self, mut reply: openai::Reply) -> Result<Bytes, TurnError> {
        let mut answered = Answered::new(&self);
        let key = ChannelKey { choice: 0, channel: Channel::Error };
        let texts = reply.take_texts();
        let restored: Result<Vec<String>, Stopped> =
            texts.iter().map(|text| answered.whole(key, text.expose())).collect();
        let Ok(restored) = restored else { return Err(self.stopped(answered).await) };
        let body = reply.fill(&restored).map_err(|_| TurnError::Internal("an error lost a text"))?;
        self.commit(answered, TurnState::Failed, Some(Code::UpstreamError)).await?;
        Ok(body)
    }

    /// Somebody of the house answers later: the message is kept, and this is all that is said now.
    pub(super) async fn for_a_person(self) -> Result<http::Response<axum::body::Body>, TurnError> {
        let answered = Answered::new(&self);
        self.commit(answered, TurnState::Closed, None).await?;
        let mut response = http::Response::new(axum::body::Body::from("data: [DONE]\n\n"));
        for (name, value) in openai::stream::HEADERS {
            response.headers_mut().insert(name, http::HeaderValue::from_static(value));
        }
        Ok(response)
    }

    /// The client left before the bot answered.
    pub(super) async fn abandoned(self) -> Result<(), TurnError> {
        let answered = Answered::new(&self);
        self.commit(answered, TurnState::Abandoned, Some(Code::ClientGone)).await.map(drop)
    }

    /// Nothing usable came: the turn is closed as failed.
    pub(super) async fn failed(self, reason: Code) -> Result<(), TurnError> {
        let answered = Answered::new(&self);
        self.commit(answered, TurnState::Failed, Some(reason)).await.map(drop)
    }
}

/// A streamed answer on its way: a body that rewrites the bot's as it is polled. Its last event leaves after commit 2;
/// dropped before that (the client has gone) it closes the turn as abandoned, and the bot's stream ends with it.
pub(super) struct StreamBody<B> {
    bot: Option<B>,
    rewriter: Rewriter,
    /// Both there until the turn is being closed.
    open: Option<(Closing, Answered)>,
    committing: Option<JoinHandle<Result<Told, TurnError>>>,
    /// What is sent once the turn is closed.
    last: Vec<u8>,
    out: Vec<u8>,
    /// The most bytes of the bot's text that were held back at any time.
    most_held: usize,
    quiet: Quiet,
}

/// Notices that the bot has said nothing for a while.
struct Quiet {
    /// So long at least.
    patience: Duration,
    /// When it said something last.
    heard: Instant,
    /// Whether that was noticed already.
    noticed: bool,
    /// Set at the first need. It is not set anew with each piece: when it rings too early it is put off.
    bell: Option<Pin<Box<Sleep>>>,
}

impl Quiet {
    fn new(patience: Duration) -> Self {
        Self { patience, heard: Instant::now(), noticed: false, bell: None }
    }

    /// Something came.
    fn broken(&mut self) {
        self.heard = Instant::now();
        self.noticed = false;
    }

    /// Ready once for each pause, when it has lasted long enough.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.noticed {
            return Poll::Pending;
        }
        let due = self.heard + self.patience;
        let bell = self.bell.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        loop {
            ready!(bell.as_mut().poll(cx));
            if Instant::now() >= due {
                self.noticed = true;
                return Poll::Ready(());
            }
            bell.as_mut().reset(due);
        }
    }
}

impl<B> StreamBody<B> {
    pub(super) fn new(bot: B, closing: Closing) -> Self {
        let answered = Answered::new(&closing);
        let quiet = Quiet::new(closing.force.config.detection.hold_back_time);
        Self {
            bot: Some(bot),
            rewriter: Rewriter::default(),
            open: Some((closing, answered)),
            committing: None,
            last: Vec::new(),
            out: Vec::with_capacity(1024),
            most_held: 0,
            quiet,
        }
    }

    /// Begins commit 2 on a task of its own: it happens even if the client leaves now.
    fn close(&mut self, state: TurnState, reason: Option<Code>) {
        self.bot = None;
        if let Some((closing, answered)) = self.open.take() {
            closing.gate.metrics.held_back(self.most_held);
            self.committing = Some(tokio::spawn(closing.commit(answered, state, reason)));
        }
    }

    /// Nothing comes: if that lasts, what need not wait for more is sent.
    fn pause(&mut self, cx: &mut Context<'_>) {
        let Some((_, answered)) = &mut self.open else { return };
        if answered.held() > 0 && self.quiet.poll(cx).is_ready() {
            self.rewriter.pause(answered, &mut self.out);
        }
    }

    /// Takes what came from the bot; says why the stream must stop, if it must.
    fn rewrite(&mut self, bytes: &[u8]) -> Result<(), Code> {
        self.quiet.broken();
        let Some((_, answered)) = &mut self.open else { return Ok(()) };
        let result = self.rewriter.push(bytes, answered, &mut self.out);
        self.most_held = self.most_held.max(answered.held());
        result.map_err(|error| match error {
            StreamError::Stopped(Stopped) => Code::AnswerStopped,
            StreamError::TooBig(_) | StreamError::TooMany(_) | StreamError::NotAnAnswer(_) => {
                Code::UpstreamBadReply
            }
        })
    }

    /// The bot's side has ended, properly or not: what was held back is still sent. What was gathered before ends at
    /// `from`.
    fn ended(&mut self, broken: Option<Code>, from: usize) {
        let reason = broken.unwrap_or(Code::UpstreamCut);
        let problem = super::edge_problem(reason);
        if let Some((closing, answered)) = &mut self.open {
            let stopped = reason == Code::AnswerStopped
                || self.rewriter.finish(&problem, answered, &mut self.out).is_err();
            if stopped {
                // What is held back never goes out.
                closing.gate.metrics.blocked(Code::AnswerStopped);
                self.rewriter.cut(&super::edge_problem(Code::AnswerStopped), &mut self.out);
                return self.settle(Code::AnswerStopped, from);
            }
        }
        self.settle(reason, from);
    }

    /// After the last of the bot's events: everything but the final one may go, the final one waits for commit 2. What
    /// was gathered before what came last ends at `from`.
    fn settle(&mut self, reason: Code, from: usize) {
        match self.rewriter.ending() {
            Ending::Open => {}
            Ending::Done => {
                let done = memchr::memmem::rfind(&self.out, b"data: [DONE]").unwrap_or(0);
                self.last = self.out.split_off(done);
                self.close(TurnState::Closed, None);
            }
            Ending::Failed => {
                self.last = self.out.split_off(from);
                self.close(TurnState::Failed, Some(Code::UpstreamError));
            }
            Ending::Cut => {
                self.last = self.out.split_off(from);
                self.close(TurnState::Failed, Some(reason));
            }
        }
    }
}

impl<B> Body for StreamBody<B>
where
    B: Body<Data = Bytes, Error = UpstreamError> + Unpin,
{
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let me = &mut *self;
        loop {
            // What has come together goes out together; nothing waits for what has not come.
            let next = match &mut me.bot {
                Some(bot) if me.out.len() < GATHER => Pin::new(bot).poll_frame(cx),
                _ => Poll::Pending,
            };
            if next.is_pending() && me.out.is_empty() {
                me.pause(cx);
            }
            if next.is_pending() && !me.out.is_empty() {
                // A copy of the right size: the buffer stays for the next events.
                let out = Bytes::copy_from_slice(&me.out);
                me.out.clear();
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
            if let Some(committing) = &mut me.committing {
                let durable = ready!(Pin::new(committing).poll(cx));
                me.committing = None;
                match durable {
                    Ok(Ok(told)) => me.out = told.comment(),
                    // Not written down: the end must not be told as if it were.
                    _ => me.last = super::edge_problem(Code::StoreUnavailable).event().to_vec(),
                }
                me.out.append(&mut me.last);
                continue;
            }
            if me.bot.is_none() {
                return Poll::Ready(None);
            }
            let from = me.out.len();
            match ready!(next) {
                Some(Ok(frame)) => {
                    let Some(bytes) = frame.data_ref() else { continue };
                    match me.rewrite(bytes) {
                        Ok(()) => me.settle(Code::UpstreamCut, from),
                        Err(code) => me.ended(Some(code), from),
                    }
                }
                Some(Err(error)) => me.ended(Some(Code::from(&error)), from),
                None => me.ended(None, from),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bot.is_none() && self.committing.is_none() && self.out.is_empty()
    }
}

impl<B> Drop for StreamBody<B> {
    fn drop(&mut self) {
        if let Some((closing, answered)) = self.open.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(closing.commit(answered, TurnState::Abandoned, Some(Code::ClientGone)));
        }
    }
}
