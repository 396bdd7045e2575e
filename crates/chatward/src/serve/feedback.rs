//! What the operator does with flags: looks through them, makes cases of them, refuses them.

use std::fmt::Write as _;

use chatward_message::{Action, Channel, UnixMillis};
use chatward_vault::{VaultError, random_id};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::chat::flag::Status;
use crate::control::{Answer, FeedbackDeed, Verdict};
use crate::feedback::anonymous::{Written, anonymous};
use crate::feedback::book::{Book, BookError};
use crate::feedback::desk::{Flagged, Words};
use crate::feedback::{Case, LONGEST, LONGEST_NOTE, Label, Noticed, Source, short_hash};
use crate::problem::Code;
use crate::rights::consent::hex;
use crate::rights::{RightsError, moment};
use crate::seeing::FeedbackOutcome;
use crate::turn::Gate;

/// The book is changed by one at a time.
static DESK: Mutex<()> = Mutex::const_new(());

/// Why something was not done.
enum Failed {
    /// As anything about customers' data.
    Rights(RightsError),
    /// What the operator asked for cannot be, and why.
    Told(Code, String),
}

impl<E: Into<RightsError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Rights(error.into())
    }
}

fn told<T>(code: Code, why: impl Into<String>) -> Result<T, Failed> {
    Err(Failed::Told(code, why.into()))
}

/// Does one of them.
pub(super) async fn answer(gate: &Gate, deed: FeedbackDeed) -> Answer {
    let _alone = DESK.lock().await;
    let done = match deed {
        FeedbackDeed::List { all } => list(gate, all).await,
        FeedbackDeed::Show { id } => show(gate, &id).await,
        FeedbackDeed::Add { text, label, channel } => add(gate, text.expose(), label, channel).await,
        FeedbackDeed::Confirm { id, verdict } => confirm(gate, &id, verdict).await,
        FeedbackDeed::Refuse { id, note } => refuse(gate, &id, note.expose().trim()).await,
        FeedbackDeed::Status => status(gate).await,
        FeedbackDeed::Export => export(gate).await,
    };
    match done {
        Ok(answer) => answer,
        Err(Failed::Told(code, why)) => Answer::refused(code, why),
        Err(Failed::Rights(RightsError::Told(Code::NotAllowed))) => {
            Answer::refused(Code::NotAllowed, "the customer froze their data: nobody may look at it")
        }
        Err(Failed::Rights(RightsError::Told(Code::RequestClosed))) => {
            Answer::refused(Code::RequestClosed, "this flag was decided already")
        }
        Err(Failed::Rights(error)) => Answer::refused(error.code(), error.to_string()),
    }
}

/// Does something with the book, off the threads that serve.
async fn book<T: Send + 'static>(
    gate: &Gate,
    work: impl FnOnce(&Book) -> Result<T, BookError> + Send + 'static,
) -> Result<T, Failed> {
    let book = Book::of(&gate.force.load().config.server.data);
    let done = tokio::task::spawn_blocking(move || work(&book)).await;
    match done.map_err(|_| RightsError::Inside("the book cannot be read"))? {
        Ok(done) => Ok(done),
        Err(error @ BookError::CalledOtherwise { .. }) => told(Code::NotNow, error.to_string()),
        Err(error) => told(Code::Internal, error.to_string()),
    }
}

/// A flag of either sort.
enum Found {
    Customers(Box<Flagged>),
    Analysts(Noticed),
}

async fn find(gate: &Gate, id: &str) -> Result<Found, Failed> {
    let unknown = || Failed::Told(Code::NotFound, format!("no flag has the id {id:?}"));
    let bytes = bytes_of(id).ok_or_else(unknown)?;
    let wanted = id.to_owned();
    let noticed =
        book(gate, move |book| Ok(book.flags()?.into_iter().find(|flag| flag.id == wanted))).await?;
    if let Some(flag) = noticed {
        return Ok(Found::Analysts(flag));
    }
    Ok(Found::Customers(Box::new(gate.flagged(&bytes).await?.ok_or_else(unknown)?)))
}

/// The sixteen bytes of an id.
fn bytes_of(id: &str) -> Option<[u8; 16]> {
    let right = id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    right.then(|| u128::from_str_radix(id, 16).ok()).flatten().map(u128::to_be_bytes)
}

async fn list(gate: &Gate, all: bool) -> Result<Answer, Failed> {
    let mut rows: Vec<(u64, String)> = Vec::new();
    for Flagged { record, flag } in gate.all_flags().await? {
        if all || flag.status == Status::Received {
            let (at, status) = (moment(UnixMillis(flag.at)), flag.status.name());
            let said = flag.reason.name();
            rows.push((flag.at, format!("{}  {at}  customer  {status}  {said}\n", hex(&record.id))));
        }
    }
    for flag in book(gate, Book::flags).await? {
        if all || flag.status == Status::Received {
            let (at, status) = (moment(UnixMillis(flag.at)), flag.status.name());
            rows.push((flag.at, format!("{}  {at}  analyst  {status}  {}\n", flag.id, flag.label.name())));
        }
    }
    rows.sort();
    let mut text: String = rows.into_iter().map(|(_, row)| row).collect();
    if text.is_empty() {
        text.push_str(if all { "no flags\n" } else { "no open flags\n" });
    }
    Ok(Answer::Record { text })
}

/// What both said in the turn of a customer's flag, without anybody's data. That it was looked at is in the log then.
async fn anonymous_words(gate: &Gate, flagged: &Flagged) -> Result<Words, Failed> {
    let noted = gate.noted_review(flagged).await?;
    let words = gate.words_of(noted, &flagged.flag).await?;
    let force = gate.force.load_full();
    let done = tokio::task::spawn_blocking(move || {
        let safe = |text: Option<&Zeroizing<String>>, before: Option<&Zeroizing<String>>| {
            let before = before.map(|text| text.as_str());
            text.map(|text| Zeroizing::new(anonymous(&force.detector, text, before, Written::AsSaid)))
        };
        Words {
            before: None,
            customer: safe(words.customer.as_ref(), words.before.as_ref()),
            bot: safe(words.bot.as_ref(), words.customer.as_ref()),
        }
    });
    Ok(done.await.map_err(|_| RightsError::Inside("a text cannot be made anonymous"))?)
}

/// A text without anybody's data.
async fn safe(gate: &Gate, text: &str, written: Written) -> Result<String, Failed> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST {
        return told(Code::BadRequest, format!("a text has 1 to {LONGEST} characters"));
    }
    let (force, text) = (gate.force.load_full(), text.to_owned());
    let done = tokio::task::spawn_blocking(move || anonymous(&force.detector, &text, None, written)).await;
    Ok(done.map_err(|_| RightsError::Inside("a text cannot be made anonymous"))?)
}

async fn show(gate: &Gate, id: &str) -> Result<Answer, Failed> {
    let mut text = String::new();
    match find(gate, id).await? {
        Found::Analysts(flag) => {
            let (at, status) = (moment(UnixMillis(flag.at)), flag.status.name());
            let (label, channel) = (flag.label.name(), flag.channel.name());
            let _ = writeln!(text, "{id}\nflagged by an analyst on {at} as {label}, {status}");
            let _ = writeln!(text, "\n{channel}:\n{}", flag.text);
        }
        Found::Customers(flagged) => {
            let words = anonymous_words(gate, &flagged).await?;
            let flag = &flagged.flag;
            let (at, status) = (moment(UnixMillis(flag.at)), flag.status.name());
            let _ = writeln!(text, "{id}\nflagged by a customer on {at} as {}, {status}", flag.reason.name());
            if !flag.words.is_empty() {
                let own = safe(gate, &flag.words, Written::AsSaid).await?;
                let _ = writeln!(text, "\nwhat they say about it:\n{own}");
            }
            let gone = "(nothing, or it is kept no more)";
            for (channel, said) in [(Channel::Customer, &words.customer), (Channel::Bot, &words.bot)] {
                let said = said.as_ref().map_or(gone, |said| said.as_str());
                let _ = writeln!(text, "\n{}:\n{said}", channel.name());
            }
        }
    }
    Ok(Answer::Record { text })
}

async fn add(gate: &Gate, text: &str, label: Label, channel: Channel) -> Result<Answer, Failed> {
    let text = safe(gate, text, Written::AsSaid).await?;
    let id = hex(&random_id::<16>().map_err(VaultError::from)?);
    let at = gate.clock.now().0;
    let (status, decided, note) = (Status::Received, None, String::new());
    let shown = format!("{id}\nflagged as {}; kept of it until it is decided:\n\n{text}\n", label.name());
    let flag = Noticed { id, at, label, channel, status, decided, note, text };
    book(gate, move |book| book.put(flag)).await?;
    gate.note_feedback(Action::TextFlagged, label.name()).await?;
    gate.metrics.feedback(FeedbackOutcome::Received);
    Ok(Answer::Record { text: shown })
}

/// Makes a case of a flag, once the reviewer has seen what will be kept: without `seen` it is only shown.
async fn confirm(gate: &Gate, id: &str, verdict: Verdict) -> Result<Answer, Failed> {
    let Verdict { label, channel, text, note, seen } = verdict;
    let found = find(gate, id).await?;
    let status = match &found {
        Found::Customers(flagged) => flagged.flag.status,
        Found::Analysts(flag) => flag.status,
    };
    if status != Status::Received {
        return Err(RightsError::Told(Code::RequestClosed).into());
    }
    let label = match (label, &found) {
        (Some(label), _) => label,
        (None, Found::Analysts(flag)) => flag.label,
        (None, Found::Customers(_)) => return told(Code::BadRequest, "say what it is: --label"),
    };
    let channel = match (channel, &found) {
        (Some(channel), _) => channel,
        (None, Found::Analysts(flag)) => flag.channel,
        (None, Found::Customers(_)) => Channel::Customer,
    };
    let kept = match (text, &found) {
        (Some(text), _) => safe(gate, text.expose(), Written::ByReviewer).await?,
        (None, Found::Analysts(flag)) => flag.text.clone(),
        (None, Found::Customers(flagged)) => {
            let words = anonymous_words(gate, flagged).await?;
            let said = if channel == Channel::Bot { words.bot } else { words.customer };
            let Some(said) = said.filter(|said| !said.trim().is_empty()) else {
                return told(Code::NotNow, "there is no text of this channel, or it is kept no more: --text");
            };
            safe(gate, &said, Written::AsSaid).await?
        }
    };
    let note = match note.expose().trim() {
        "" => String::new(),
        note if note.chars().count() > LONGEST_NOTE => {
            return told(Code::BadRequest, format!("a note has at most {LONGEST_NOTE} characters"));
        }
        note => safe(gate, note, Written::AsSaid).await?,
    };
    let is = short_hash(format!("{}\n{}\n{note}\n{kept}", label.name(), channel.name()).as_bytes());
    if seen.as_deref() != Some(&*is) {
        let text = format!("{} in {}:\n\n{kept}\n", label.name(), channel.name());
        return Ok(Answer::Preview { text, seen: is });
    }
    let from = if matches!(found, Found::Customers(_)) { Source::Customer } else { Source::Analyst };
    let day = moment(gate.clock.now()).chars().take(10).collect();
    let case = Case { id: Case::id_of(channel, &kept), label, channel, from, day, note, text: kept };
    let text = format!("confirmed: case {} is {}\n", case.id, label.name());
    // The case first: if this ends in between, the flag is still open, and the same case again changes nothing.
    book(gate, move |book| book.keep(case)).await?;
    decide(gate, found, Status::Confirmed, (None, String::new()), label.name()).await?;
    Ok(Answer::Record { text })
}

async fn refuse(gate: &Gate, id: &str, note: &str) -> Result<Answer, Failed> {
    if note.is_empty() || note.chars().count() > LONGEST_NOTE {
        return told(Code::BadRequest, format!("a note has 1 to {LONGEST_NOTE} characters"));
    }
    let (found, kept) = (find(gate, id).await?, safe(gate, note, Written::AsSaid).await?);
    decide(gate, found, Status::Refused, (Some(note.to_owned()), kept), "no-fault").await?;
    Ok(Answer::Record { text: "refused\n".to_owned() })
}

/// Writes down what became of a flag. The first of the notes is for the customer, the other for the book.
async fn decide(
    gate: &Gate,
    found: Found,
    status: Status,
    (answer, note): (Option<String>, String),
    word: &'static str,
) -> Result<(), Failed> {
    match found {
        Found::Customers(flagged) => gate.decide_flag(*flagged, status, answer, word).await?,
        Found::Analysts(flag) if flag.status == Status::Received => {
            let decided = Some(gate.clock.now().0);
            let flag = Noticed { status, decided, note, text: String::new(), ..flag };
            book(gate, move |book| book.put(flag)).await?;
            let confirmed = status == Status::Confirmed;
            let action = if confirmed { Action::FlagConfirmed } else { Action::FlagRefused };
            gate.note_feedback(action, word).await?;
        }
        Found::Analysts(_) => return Err(RightsError::Told(Code::RequestClosed).into()),
    }
    let confirmed = status == Status::Confirmed;
    gate.metrics.feedback(if confirmed { FeedbackOutcome::Confirmed } else { FeedbackOutcome::Refused });
    Ok(())
}

async fn status(gate: &Gate) -> Result<Answer, Failed> {
    let mut counts = [[0_usize; 3]; 2];
    let customers: Vec<Status> = gate.all_flags().await?.iter().map(|one| one.flag.status).collect();
    let (analysts, cases) = book(gate, |book| Ok((book.flags()?, book.cases()?))).await?;
    let analysts: Vec<Status> = analysts.iter().map(|flag| flag.status).collect();
    for (of, all) in counts.iter_mut().zip([customers, analysts]) {
        for status in all {
            if let Some(count) = of.get_mut(status as usize) {
                *count += 1;
            }
        }
    }
    let mut text = String::new();
    for (who, [open, confirmed, refused]) in ["customers", "analysts"].into_iter().zip(counts) {
        let _ = writeln!(text, "{who}: {open} open, {confirmed} confirmed, {refused} refused");
    }
    let harmless = cases.iter().filter(|case| case.label == Label::Harmless).count();
    let _ = writeln!(text, "cases: {}, {harmless} of them harmless", cases.len());
    Ok(Answer::Record { text })
}

/// Every case, a line of JSON each.
async fn export(gate: &Gate) -> Result<Answer, Failed> {
    let mut text = String::new();
    for case in book(gate, Book::cases).await? {
        text += &serde_json::to_string(&case).map_err(|_| RightsError::Inside("a case has no form"))?;
        text.push('\n');
    }
    Ok(Answer::Record { text })
}
