//! The copy that customers take along: everything that is kept of one of them, readable and as JSON-LD, in a zip that is written
//! as it is sent. Memory holds one conversation at a time, and nothing of it touches a disk.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chatward_message::{Action, ConversationId, CustomerId, Event, Facts, Place, UnixMillis};
use chatward_store::TurnRow;
use chatward_store::record::{ConversationRow, RecordKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use zip::ZipWriter;
use zip::write::{SimpleFileOptions, StreamWriter};

use super::consent::{Stand, hex};
use super::{RightsError, moment};
use crate::dpv::{self, Term};
use crate::turn::Gate;

/// Conversations listed at once.
const PAGE: usize = 100;
/// Events of a trail read at once.
const TRACES: usize = 500;

/// What was put into a copy, by what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Copied {
    pub(crate) conversations: u64,
    pub(crate) turns: u64,
    pub(crate) values: u64,
    pub(crate) records: u64,
    pub(crate) events: u64,
}

/// Bytes on their way: the zip writes here, and they are sent after each file.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A zip that is sent while it is written.
struct Sending {
    zip: ZipWriter<StreamWriter<Pipe>>,
    pipe: Pipe,
    to: mpsc::Sender<Bytes>,
}

impl Sending {
    fn new(to: mpsc::Sender<Bytes>) -> Self {
        let pipe = Pipe::default();
        Self { zip: ZipWriter::new_stream(pipe.clone()), pipe, to }
    }

    async fn file(&mut self, name: &str, content: &[u8]) -> Result<(), RightsError> {
        let failed = |_| RightsError::Inside("a copy cannot be written");
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        self.zip.start_file(name, options).map_err(failed)?;
        self.zip.write_all(content).map_err(|_| RightsError::Inside("a copy cannot be written"))?;
        self.send().await
    }

    async fn send(&self) -> Result<(), RightsError> {
        let bytes = std::mem::take(&mut *self.pipe.0.lock().unwrap_or_else(PoisonError::into_inner));
        if bytes.is_empty() {
            return Ok(());
        }
        // Whoever asked is gone: there is nobody to write for.
        self.to.send(bytes.into()).await.map_err(|_| RightsError::Inside("nobody takes the copy"))
    }

    async fn end(self) -> Result<(), RightsError> {
        let Self { zip, pipe, to } = self;
        zip.finish().map_err(|_| RightsError::Inside("a copy cannot be written"))?;
        let bytes = std::mem::take(&mut *pipe.0.lock().unwrap_or_else(PoisonError::into_inner));
        to.send(bytes.into()).await.map_err(|_| RightsError::Inside("nobody takes the copy"))
    }

    async fn json(&mut self, name: &str, document: &Value) -> Result<(), RightsError> {
        let bytes = serde_json::to_vec_pretty(document)
            .map_err(|_| RightsError::Inside("a document cannot be written"))?;
        self.file(name, &bytes).await
    }
}

impl Gate {
    /// Writes everything that is kept of a customer into `to`, as the pieces of a zip.
    pub(crate) async fn copy_for(
        &self,
        customer: CustomerId,
        to: mpsc::Sender<Bytes>,
    ) -> Result<Copied, RightsError> {
        let mut sending = Sending::new(to);
        let mut copied = Copied::default();
        let mut index = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.conversations_of(&self.tenant, customer, after, PAGE).await?;
            for row in &page {
                after = Some(row.id);
                let Some(one) = self.copy_of(row).await? else { continue };
                copied.conversations += 1;
                copied.turns += one.turns.len() as u64;
                copied.values += one.values.len() as u64;
                let name = format!("conversations/{}", row.id);
                sending.json(&format!("{name}.json"), &one.document()).await?;
                sending.file(&format!("{name}.html"), one.page().as_bytes()).await?;
                index.push((format!("{name}.html"), one.opened));
            }
            if page.len() < PAGE {
                break;
            }
        }
        let records = self.copy_records(customer).await?;
        copied.records = records.len() as u64;
        sending.json("records.json", &Value::Array(records)).await?;
        let consents = self.receipts(customer).await?;
        sending.json("consents.json", &Value::Array(consents)).await?;
        copied.events = self.copy_trail(customer, &mut sending).await?;
        let about = self.copy_about(customer, copied).await?;
        sending.json("about.json", &about).await?;
        sending.file("index.html", contents(&about, &index).as_bytes()).await?;
        sending.end().await?;
        Ok(copied)
    }

    /// The same, with its event. Whoever asked may be gone before the end.
    pub(crate) async fn exported(
        &self,
        customer: CustomerId,
        to: mpsc::Sender<Bytes>,
    ) -> Result<(), RightsError> {
        let copied = self.copy_for(customer, to).await?;
        let (_, key) = self.key_of(customer).await?;
        let rows = copied.turns + copied.values + copied.records;
        let event = Event {
            at: self.clock.now(),
            tenant: self.tenant.clone(),
            action: Action::DataExported,
            turn: None,
            subject: Some(self.vault.subject(&key)?),
            facts: Facts { rows: u32::try_from(rows).unwrap_or(u32::MAX), ..Facts::default() },
        };
        self.store.append_about(self.tenant.clone(), customer, vec![event]).await?;
        Ok(())
    }

    async fn copy_of(&self, row: &ConversationRow) -> Result<Option<Copy>, RightsError> {
        let Some(known) = self.store.conversation(&self.tenant, row.id).await? else { return Ok(None) };
        let key = self.vault.customer_key(known.slot).await?;
        let labels = Arc::clone(&self.force.load().labels);
        let table = self.vault.open_entries(&key, &self.tenant, labels, &known)?;
        let values = table
            .listed()
            .map(|(label, class, kind)| {
                let value = table.value(&label).map(|value| value.to_string());
                json!({
                    "chatward:placeholder": label,
                    "@type": Term::of_kind(kind.as_str(), class).compact(),
                    "chatward:kind": kind.as_str(),
                    "chatward:class": class.name(),
                    "chatward:value": value,
                })
            })
            .collect();
        let mut turns = Vec::new();
        for turn in self.store.turns_of(&self.tenant, row.id).await? {
            turns.push(self.copy_turn(&key, &turn)?);
        }
        Ok(Some(Copy { id: row.id, opened: row.opened, values, turns }))
    }

    fn copy_turn(&self, key: &chatward_vault::CustomerKey, turn: &TurnRow) -> Result<Value, RightsError> {
        let place = |column| Place { tenant: &self.tenant, table: "turns", column, row: turn.id.as_bytes() };
        // As it is, in one piece: it is in the bot's own words, and not in ours.
        let text =
            |plain: zeroize::Zeroizing<Vec<u8>>| Value::from(String::from_utf8_lossy(&plain).into_owned());
        let received = text(self.vault.open_sealed(key, place("received"), &turn.received)?);
        let reply = match &turn.reply {
            Some(reply) => text(self.vault.open_sealed(key, place("reply"), reply)?),
            None => Value::Null,
        };
        let purposes: Vec<&str> = turn.purposes.iter().map(chatward_message::Purpose::word).collect();
        Ok(json!({
            "dct:identifier": turn.id.to_string(),
            "dct:created": moment(turn.opened),
            "dpv:hasRecipient": { "@type": "dpv:Recipient", "dpv:hasName": &*turn.upstream },
            "chatward:keptFor": purposes,
            "chatward:received": received,
            "chatward:answer": reply,
        }))
    }

    /// Every record of the customer; of those that hold secrets (how they sign in) only that they are there.
    async fn copy_records(&self, customer: CustomerId) -> Result<Vec<Value>, RightsError> {
        let mut all = Vec::new();
        for kind in RecordKind::ALL {
            for record in self.store.records_of(&self.tenant, *kind, customer).await? {
                let says = match kind {
                    RecordKind::Request
                    | RecordKind::Hold
                    | RecordKind::Look
                    | RecordKind::Consent
                    | RecordKind::Flag
                    | RecordKind::Handover
                    | RecordKind::Written
                    | RecordKind::Waiting => self.read_record::<Value>(&record).await?,
                    _ => Value::Null,
                };
                let purposes: Vec<&str> =
                    record.purposes.iter().map(chatward_message::Purpose::word).collect();
                all.push(json!({
                    "chatward:record": kind.name(),
                    "dct:identifier": hex(&record.id),
                    "chatward:keptFor": purposes,
                    "chatward:until": record.until.map(moment),
                    "chatward:says": says,
                }));
            }
        }
        Ok(all)
    }

    async fn copy_trail(&self, customer: CustomerId, to: &mut Sending) -> Result<u64, RightsError> {
        let (mut events, mut before, mut page_number) = (0, None, 1_u32);
        loop {
            let page = self.store.trail(&self.tenant, customer, before, TRACES).await?;
            let lines: Vec<Value> = page
                .iter()
                .map(|trace| {
                    let event: Value = serde_json::from_str(&trace.event).unwrap_or(Value::Null);
                    json!({ "chatward:index": trace.index, "chatward:event": event })
                })
                .collect();
            events += lines.len() as u64;
            to.json(&format!("log-{page_number}.json"), &Value::Array(lines)).await?;
            match page.last() {
                Some(last) if page.len() == TRACES => before = Some(last.index),
                _ => return Ok(events),
            }
            page_number += 1;
        }
    }

    async fn copy_about(&self, customer: CustomerId, copied: Copied) -> Result<Value, RightsError> {
        let force = self.force.load_full();
        let standing = self.store.standing(&self.tenant, customer).await?;
        let purposes: Vec<Value> = force
            .config
            .purposes
            .iter()
            .map(|terms| {
                let basis = force.basis_for(terms);
                let keep: Vec<Value> = (terms.keep.iter())
                    .map(|(class, time)| {
                        json!({
                            "dpv:hasPersonalData": Term::of_class(*class).node(),
                            "chatward:class": class.name(),
                            "dpv:hasDuration": format!("P{}D", time.div_ceil(24 * 3600 * 1000)),
                        })
                    })
                    .collect();
                json!({
                    "@type": Term::of_purpose(&terms.name).compact(),
                    "dct:title": &*terms.name,
                    "dpv:hasLegalBasis": Term::of_basis(basis).node(),
                    "chatward:stand": Stand::of(terms, basis, &standing).name(),
                    "dpv:hasStorageCondition": keep,
                })
            })
            .collect();
        let bots: Vec<Value> = (force.config.upstreams.iter())
            .map(|bot| json!({ "@type": "dpv:Recipient", "dpv:hasName": &*bot.name }))
            .collect();
        let controller = &force.config.controller;
        Ok(json!({
            "@context": dpv::context(),
            "@type": "dpv:RightExerciseRecord",
            "dct:title": "Copy of personal data",
            "dct:created": moment(self.clock.now()),
            "dpv:hasRight": [Term::RightOfAccess.node(), Term::RightToPortability.node()],
            "dpv:hasDataSubject": { "@type": "dpv:DataSubject", "dpv:hasIdentifier": customer.to_string() },
            "dpv:hasDataController": {
                "@type": "dpv:DataController",
                "dpv:hasName": controller.name,
                "dpv:hasContact": controller.contact,
            },
            "dpv:hasRecipient": bots,
            "dpv:hasPurpose": purposes,
            "chatward:restricted": standing.restricted,
            "chatward:counts": {
                "chatward:conversations": copied.conversations,
                "chatward:turns": copied.turns,
                "chatward:values": copied.values,
                "chatward:records": copied.records,
                "chatward:events": copied.events,
            },
            "dpv:hasAlgorithmicLogic": "No decision is made about you by a program alone. Rules and a model of names look for personal \
                data in what you write, and put placeholders in its place before the bot sees it.",
        }))
    }
}

/// A conversation in a copy.
struct Copy {
    id: ConversationId,
    opened: UnixMillis,
    values: Vec<Value>,
    turns: Vec<Value>,
}

impl Copy {
    fn document(&self) -> Value {
        json!({
            "@context": dpv::context(),
            "@type": "pd:Communication",
            "dct:identifier": self.id.to_string(),
            "dct:created": moment(self.opened),
            "dpv:hasPersonalData": self.values,
            "dct:hasPart": self.turns,
        })
    }

    fn page(&self) -> String {
        let mut page = head(&format!("Conversation of {}", moment(self.opened)));
        page.push_str("<h2>What the bot did not see</h2><table><tr><th>Placeholder</th><th>Kind</th><th>Value</th></tr>");
        for value in &self.values {
            let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or("(gone)");
            page.push_str(&format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                escaped(text("chatward:placeholder")),
                escaped(text("chatward:kind")),
                escaped(text("chatward:value"))
            ));
        }
        page.push_str("</table><h2>Messages</h2>");
        for turn in &self.turns {
            let at = turn.get("dct:created").and_then(Value::as_str).unwrap_or_default();
            page.push_str(&format!("<h3>{}</h3><h4>What the bot received</h4>", escaped(at)));
            said(turn.get("chatward:received"), &mut page);
            page.push_str("<h4>What you were answered</h4>");
            said(turn.get("chatward:answer"), &mut page);
        }
        page.push_str("</main></body></html>\n");
        page
    }
}

/// The texts of a message, or all of it as it is.
fn said(message: Option<&Value>, page: &mut String) {
    let Some(text) = message.and_then(Value::as_str) else {
        page.push_str("<p>Nothing.</p>");
        return;
    };
    let message: Value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let lines = message.get("messages").or_else(|| message.get("choices")).and_then(Value::as_array);
    let texts: Vec<(String, String)> = lines
        .into_iter()
        .flatten()
        .filter_map(|line| {
            let line = line.get("message").unwrap_or(line);
            let text = line.get("content").and_then(Value::as_str)?;
            let role = line.get("role").and_then(Value::as_str).unwrap_or("assistant");
            Some((role.to_owned(), text.to_owned()))
        })
        .collect();
    if texts.is_empty() {
        let whole = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
        page.push_str(&format!("<pre>{}</pre>", escaped(&whole)));
    }
    for (role, text) in texts {
        page.push_str(&format!("<p><strong>{}:</strong> {}</p>", escaped(&role), escaped(&text)));
    }
}

fn contents(about: &Value, conversations: &[(String, UnixMillis)]) -> String {
    let mut page = head("What is kept of you");
    let name =
        about.pointer("/dpv:hasDataController/dpv:hasName").and_then(Value::as_str).unwrap_or_default();
    page.push_str(&format!(
        "<p>Kept by {}. The same in a form for programs: <a href=\"about.json\">about.json</a> (what it is used for, who receives it, \
         how long it is kept), <a href=\"consents.json\">consents.json</a>, <a href=\"records.json\">records.json</a>, \
         <a href=\"log-1.json\">log-1.json</a> (who looked).</p><h2>Conversations</h2><ul>",
        escaped(name)
    ));
    for (file, at) in conversations {
        page.push_str(&format!("<li><a href=\"{}\">{}</a></li>", escaped(file), escaped(&moment(*at))));
    }
    page.push_str("</ul></main></body></html>\n");
    page
}

fn head(title: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title></head><body><main><h1>{0}</h1>",
        escaped(title)
    )
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
