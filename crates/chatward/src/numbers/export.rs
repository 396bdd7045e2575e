//! A table for analytics: one row a turn or a conversation, in which nobody is named.
//!
//! Times are told by day, week, month or year. Customers are pseudonyms: keyed hashes under a key that is made for this one table and
//! thrown away with it, so that two tables cannot be joined by them; they can be left out. Each combination of values in the columns
//! that are named belongs to at least k customers; rows of others are left out. The manifest says all that, in words that do
//! not promise more: such a table is pseudonymised, k-anonymous for the columns named, and not anonymous.
//!
//! It goes through the data twice, counting and then writing, and holds the combinations in memory, never the rows. What was written
//! is counted again: if the data changed in between so that a row might stand out, the table is void and says so at its end.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::hmac;
use bytes::Bytes;
use chatward_message::{Action, ConversationId, CustomerId, Event, Facts, UnixMillis};
use chatward_policy::numbers::classes::{Classes, Summary};
use chatward_policy::numbers::coarse::{self, Span};
use chatward_store::TurnState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

use super::NumbersError;
use super::walk::{Told, Walk};
use crate::dpv::{self, Term};
use crate::turn::Gate;

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "ExportUnit")]
pub enum Unit {
    /// A conversation.
    #[default]
    Conversation,
    /// A turn.
    Turn,
}

/// The form of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "ExportForm")]
pub enum Form {
    /// One JSON object a line.
    #[default]
    Jsonl,
    /// Comma-separated values with a header line.
    Csv,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "ExportColumn")]
pub enum Column {
    /// A pseudonym of the customer.
    Customer,
    /// When it began, as coarse as was asked for.
    Time,
    /// The bot, by its name in the configuration.
    Upstream,
    /// How the turn ended.
    Outcome,
    /// How many turns the conversation has, as a range.
    Turns,
    /// How many of them were refused, as a range.
    Refused,
    /// The kinds that were found, each with how often, as a range.
    Found,
}

impl Column {
    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Time => "time",
            Self::Upstream => "upstream",
            Self::Outcome => "outcome",
            Self::Turns => "turns",
            Self::Refused => "refused",
            Self::Found => "found",
        }
    }

    /// The one with this name.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Time, Self::Upstream, Self::Outcome, Self::Turns, Self::Refused, Self::Found]
            .into_iter()
            .find(|column| column.name() == word)
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Customer => {
                "pseudonym: a keyed hash of the customer under a key that was made for this table and thrown away"
            }
            Self::Time => "when it began, generalised (UTC)",
            Self::Upstream => "the bot that was asked, by its name in the configuration",
            Self::Outcome => "how the turn ended",
            Self::Turns => "how many turns, as a range",
            Self::Refused => "how many of them were refused, as a range",
            Self::Found => {
                "kinds of personal data that were found in what the customer wrote, with how often, as a range; no values"
            }
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ExportQuestion")]
pub struct Wanted {
    /// What a row is; a conversation if nothing is said.
    pub unit: Unit,
    /// How coarse times are: `day`, `week`, `month` or `year`; a week if nothing is said.
    #[schemars(with = "Option<String>")]
    pub span: Option<Span>,
    /// Each combination belongs to at least so many customers; `numbers.k` if nothing is said, and never less.
    pub k: Option<u32>,
    /// Only what was opened at or after this moment (milliseconds since 1970).
    pub since: Option<u64>,
    /// Only what was opened before this moment.
    pub until: Option<u64>,
    /// The columns by which somebody could be recognised; all but the pseudonym and what was found if nothing is said.
    pub quasi: Vec<Column>,
    /// Leave the pseudonyms out, so that rows of one customer cannot be told to be of one.
    pub unlinked: bool,
    /// The form of the rows.
    pub form: Form,
}

/// A table that was counted and may be written.
pub(crate) struct Table {
    plan: Plan,
    classes: Classes,
    manifest: Value,
}

struct Plan {
    unit: Unit,
    span: Span,
    k: u32,
    time: std::ops::Range<UnixMillis>,
    columns: Vec<Column>,
    quasi: Vec<Column>,
    form: Form,
    key: hmac::Key,
}

/// A row: the value of each column.
type Row = BTreeMap<Column, String>;

/// Counts the table, and writes down that it is given out. `by` says who asked, `policies` which policies said yes.
///
/// # Errors
/// [`NumbersError`]
pub(crate) async fn prepare(
    gate: &Gate,
    wanted: &Wanted,
    by: &'static str,
    policies: Option<&str>,
) -> Result<Table, NumbersError> {
    let least = gate.force.load().config.numbers.k;
    let now = gate.clock.now();
    let plan = Plan::of(wanted, least, now)?;
    let mut classes = Classes::default();
    let mut walk = Walk::new(gate, plan.time.clone());
    while let Some((customer, turns)) = walk.next().await? {
        for row in plan.rows(customer, turns) {
            classes.count(number(customer), &plan.values(&row))?;
        }
    }
    let summary = classes.summary(plan.k);
    let manifest = plan.manifest(summary, now, by, policies);
    let rows = u32::try_from(summary.rows).unwrap_or(u32::MAX);
    let facts = Facts { rows, suppressed: summary.suppressed_rows, ..Facts::default() };
    let (tenant, action) = (gate.tenant.clone(), Action::AnalyticsExported);
    let event = Event { at: now, tenant, action, turn: None, subject: None, facts };
    gate.store.append(vec![event]).await?;
    Ok(Table { plan, classes, manifest })
}

impl Table {
    /// What the table is and promises (JSON-LD).
    pub(crate) fn manifest(&self) -> &Value {
        &self.manifest
    }

    /// Writes the rows, some at a time, to whoever takes them.
    ///
    /// # Errors
    /// [`NumbersError::Changed`] if what came may not be used.
    pub(crate) async fn write(&self, gate: &Gate, to: &Sender<Bytes>) -> Result<(), NumbersError> {
        let plan = &self.plan;
        let mut written = Classes::default();
        if plan.form == Form::Csv {
            let names: Vec<&str> = plan.columns.iter().map(|column| column.name()).collect();
            give(to, csv_line(&names)).await?;
        }
        let mut walk = Walk::new(gate, plan.time.clone());
        while let Some((customer, turns)) = walk.next().await? {
            let mut lines = Vec::new();
            for row in plan.rows(customer, turns) {
                let values = plan.values(&row);
                if self.classes.stays(plan.k, &values) {
                    written.count(number(customer), &values)?;
                    lines.extend(plan.line(&row));
                }
            }
            if !lines.is_empty() {
                give(to, lines).await?;
            }
        }
        if written.summary(plan.k).suppressed_classes > 0 { Err(NumbersError::Changed) } else { Ok(()) }
    }
}

async fn give(to: &Sender<Bytes>, lines: Vec<u8>) -> Result<(), NumbersError> {
    to.send(lines.into()).await.map_err(|_| NumbersError::Gone)
}

fn number(customer: CustomerId) -> u128 {
    u128::from_be_bytes(*customer.as_bytes())
}

/// One line of CSV (RFC 4180). Values come from closed lists and the configuration; those that need it are quoted.
pub(super) fn csv_line(values: &[&str]) -> Vec<u8> {
    let quoted = |value: &&str| {
        if value.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", value.replace('"', "\"\""))
        } else {
            (*value).to_owned()
        }
    };
    let mut line = values.iter().map(quoted).collect::<Vec<_>>().join(",").into_bytes();
    line.extend(b"\r\n");
    line
}

impl Plan {
    fn of(wanted: &Wanted, least: u32, now: UnixMillis) -> Result<Self, NumbersError> {
        let k = wanted.k.unwrap_or(least);
        if k < least {
            return Err(NumbersError::Question("k"));
        }
        let until = wanted.until.unwrap_or(now.0).min(now.0);
        let since = wanted.since.unwrap_or(0);
        if since >= until {
            return Err(NumbersError::Question("since"));
        }
        let mut columns = match wanted.unit {
            Unit::Turn => {
                vec![Column::Customer, Column::Time, Column::Upstream, Column::Outcome, Column::Found]
            }
            Unit::Conversation => {
                vec![
                    Column::Customer,
                    Column::Time,
                    Column::Upstream,
                    Column::Turns,
                    Column::Refused,
                    Column::Found,
                ]
            }
        };
        if wanted.unlinked {
            columns.remove(0);
        }
        let usual = |column: &Column| !matches!(column, Column::Customer | Column::Found);
        let named: BTreeSet<Column> = wanted.quasi.iter().copied().collect();
        let fits = |column: &Column| columns.contains(column) && *column != Column::Customer;
        if !named.iter().all(fits) {
            return Err(NumbersError::Question("quasi"));
        }
        let quasi = if named.is_empty() {
            columns.iter().copied().filter(usual).collect()
        } else {
            named.into_iter().collect()
        };
        let key: [u8; 32] = crate::caller::random().map_err(crate::directory::Failed::from)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let (span, time) = (wanted.span.unwrap_or_default(), UnixMillis(since)..UnixMillis(until));
        Ok(Self { unit: wanted.unit, span, k, time, columns, quasi, form: wanted.form, key })
    }

    /// The rows of one customer.
    fn rows(&self, customer: CustomerId, turns: Vec<Told>) -> Vec<Row> {
        let pseudonym = hmac::sign(&self.key, customer.as_bytes());
        let pseudonym: String =
            pseudonym.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let mut groups: BTreeMap<(ConversationId, usize), Vec<Told>> = BTreeMap::new();
        for (n, turn) in turns.into_iter().enumerate() {
            let n = if self.unit == Unit::Turn { n } else { 0 };
            groups.entry((turn.conversation, n)).or_default().push(turn);
        }
        groups.into_values().map(|turns| self.row(&pseudonym, &turns)).collect()
    }

    fn row(&self, pseudonym: &str, turns: &[Told]) -> Row {
        let mut found: BTreeMap<&str, u64> = BTreeMap::new();
        for (kind, (_, n)) in turns.iter().flat_map(|turn| &turn.found) {
            *found.entry(kind).or_default() += n;
        }
        let found: Vec<String> =
            found.iter().map(|(kind, n)| format!("{kind}:{}", coarse::count(*n))).collect();
        let began = turns.iter().map(|turn| turn.at).min().unwrap_or(UnixMillis(0));
        let bots: BTreeSet<&str> = turns.iter().map(|turn| &*turn.upstream).collect();
        let refused = turns.iter().filter(|turn| turn.state == TurnState::Refused).count();
        let value = |column: Column| match column {
            Column::Customer => pseudonym.to_owned(),
            Column::Time => self.span.of(began),
            Column::Upstream if bots.len() > 1 => "several".to_owned(),
            Column::Upstream => bots.first().copied().unwrap_or_default().to_owned(),
            Column::Outcome => turns.first().map_or("", |turn| outcome(turn.state)).to_owned(),
            Column::Turns => coarse::count(turns.len() as u64).to_owned(),
            Column::Refused => coarse::count(refused as u64).to_owned(),
            Column::Found => found.join(";"),
        };
        self.columns.iter().map(|column| (*column, value(*column))).collect()
    }

    fn values<'a>(&self, row: &'a Row) -> Vec<&'a str> {
        self.quasi.iter().map(|column| row.get(column).map_or("", String::as_str)).collect()
    }

    fn line(&self, row: &Row) -> Vec<u8> {
        match self.form {
            Form::Csv => {
                let values: Vec<&str> =
                    self.columns.iter().map(|column| row.get(column).map_or("", String::as_str)).collect();
                csv_line(&values)
            }
            Form::Jsonl => {
                let object: serde_json::Map<String, Value> = row
                    .iter()
                    .map(|(column, value)| (column.name().to_owned(), value.clone().into()))
                    .collect();
                (Value::Object(object).to_string() + "\n").into_bytes()
            }
        }
    }

    fn manifest(&self, summary: Summary, now: UnixMillis, by: &str, policies: Option<&str>) -> Value {
        let columns: Vec<Value> = (self.columns.iter())
            .map(|column| {
                json!({
                    "chatward:name": column.name(),
                    "dct:description": column.meaning(),
                    "chatward:quasiIdentifier": self.quasi.contains(column),
                })
            })
            .collect();
        let mut processing = vec![Term::Export.node()];
        let linked = self.columns.contains(&Column::Customer);
        if linked {
            processing.push(Term::Pseudonymise.node());
        }
        json!({
            "@context": dpv::context(),
            "@type": Term::PersonalDataProcess.compact(),
            "dct:title": "Table for analytics",
            "dct:created": coarse::moment(now),
            "dpv:hasPurpose": [Term::of_purpose("analytics").node()],
            "dpv:hasProcessing": processing,
            "dpv:hasData": [if linked { Term::PseudonymisedData.node() } else { Term::PersonalData.node() }],
            "chatward:promise": self.promise(linked),
            "chatward:unit": if self.unit == Unit::Turn { "turn" } else { "conversation" },
            "chatward:timeGeneralisedTo": self.span.name(),
            "chatward:from": coarse::moment(self.time.start),
            "chatward:before": coarse::moment(self.time.end),
            "chatward:k": self.k,
            "chatward:columns": columns,
            "chatward:rows": summary.rows,
            "chatward:rowsSuppressed": summary.suppressed_rows,
            "chatward:classes": summary.classes,
            "chatward:classesSuppressed": summary.suppressed_classes,
            "chatward:smallestClass": summary.smallest,
            "chatward:askedBy": by,
            "chatward:policies": policies,
        })
    }

    fn promise(&self, linked: bool) -> String {
        let names: Vec<&str> = self.quasi.iter().map(|column| column.name()).collect();
        let mut text = format!(
            "k-anonymous for the columns named: each combination of {} belongs to at least {} customers; l-diversity is not \
             claimed. This is not anonymous data.",
            names.join(", "),
            self.k
        );
        if linked {
            text += " Pseudonymised: rows of one customer carry the same pseudonym, so whoever knows several of somebody's \
                     rows may tell them apart although each row alone does not.";
        }
        text
    }
}

const fn outcome(state: TurnState) -> &'static str {
    match state {
        TurnState::Open => "open",
        TurnState::Closed => "closed",
        TurnState::Failed => "failed",
        TurnState::Abandoned => "abandoned",
        TurnState::Refused => "refused",
        TurnState::Interrupted => "interrupted",
    }
}

#[cfg(test)]
mod tests {
    use chatward_message::Class;

    use super::*;

    const TERMS: &str = include_str!("../../../../vectors/dpv/terms.tsv");
    const NOW: UnixMillis = UnixMillis(1_795_651_200_000);

    fn plan(wanted: &Wanted) -> Plan {
        Plan::of(wanted, 2, NOW).unwrap()
    }

    fn turn(conversation: u8, state: TurnState, kinds: &[(&str, u64)]) -> Told {
        let found = kinds.iter().map(|(kind, n)| (Box::from(*kind), (Class::Identity, *n))).collect();
        let conversation = ConversationId::from_bytes([conversation; 16]);
        Told { conversation, at: UnixMillis(NOW.0 - 1000), upstream: "main".into(), state, found }
    }

    #[test]
    fn a_row_tells_no_time_no_id_and_no_count() {
        let customer = CustomerId::from_bytes([9; 16]);
        let wanted = Wanted { form: Form::Csv, ..Wanted::default() };
        let plan = plan(&wanted);
        let turns = vec![
            turn(1, TurnState::Closed, &[("email", 1), ("card", 3)]),
            turn(1, TurnState::Refused, &[("email", 2)]),
            turn(2, TurnState::Closed, &[]),
        ];
        let rows = plan.rows(customer, turns);
        assert_eq!(rows.len(), 2);
        let line = String::from_utf8(plan.line(&rows[0])).unwrap();
        let (pseudonym, rest) = line.split_once(',').unwrap();
        assert_eq!(rest, "2026-W48,main,2-5,1,card:2-5;email:2-5\r\n");
        assert_eq!(pseudonym.len(), 32);
        assert!(!customer.to_string().contains(pseudonym));
        // The same within a table, another in the next.
        assert_eq!(rows[0][&Column::Customer], rows[1][&Column::Customer]);
        let again = self::plan(&wanted).rows(customer, vec![turn(1, TurnState::Closed, &[])]);
        assert_ne!(again[0][&Column::Customer], rows[0][&Column::Customer]);
    }

    #[test]
    fn questions_that_make_no_sense_are_told_by_their_field() {
        let ask = |wanted: Wanted| match Plan::of(&wanted, 5, NOW) {
            Err(NumbersError::Question(field)) => field,
            _ => "good",
        };
        assert_eq!(ask(Wanted { k: Some(4), ..Wanted::default() }), "k");
        assert_eq!(ask(Wanted { quasi: vec![Column::Customer], ..Wanted::default() }), "quasi");
        assert_eq!(ask(Wanted { quasi: vec![Column::Outcome], ..Wanted::default() }), "quasi");
        assert_eq!(ask(Wanted { since: Some(NOW.0), ..Wanted::default() }), "since");
        assert_eq!(ask(Wanted { quasi: vec![Column::Found, Column::Time], ..Wanted::default() }), "good");
    }

    #[test]
    fn the_manifest_says_what_the_table_is_in_known_words() {
        for unlinked in [true, false] {
            let plan = plan(&Wanted { unlinked, ..Wanted::default() });
            let manifest = plan.manifest(Summary::default(), NOW, "staff", Some("abc"));
            assert_eq!(dpv::faults(&manifest, TERMS), Vec::<String>::new());
            let promise = manifest["chatward:promise"].as_str().unwrap();
            assert!(promise.starts_with(
                "k-anonymous for the columns named: each combination of time, upstream, turns, refused"
            ));
            assert!(promise.contains("not anonymous"));
            assert_eq!(promise.contains("Pseudonymised"), !unlinked);
            assert!(!manifest.to_string().contains("AnonymisedData"));
        }
    }
}
