//! What the operator can have done about customers' rights.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chatward_message::{ConversationId, CustomerId, UnixMillis};
use tokio::io::AsyncWriteExt as _;

use crate::control::{Answer, CustomerDeed};
use crate::problem::Code;
use crate::rights::RightsError;
use crate::rights::consent::{Decision, Way};
use crate::rights::standing::Change;
use crate::turn::Gate;

/// Does one of them.
pub(super) async fn customer(
    gate: &Gate,
    customer: CustomerId,
    deed: CustomerDeed,
) -> Result<Answer, RightsError> {
    let text = match deed {
        CustomerDeed::Export { file } => return export(gate, customer, Path::new(&file)).await,
        CustomerDeed::Correct { conversation, label, value } => {
            let unknown = || RightsError::Told(Code::NotFound);
            let id: ConversationId = conversation.parse().map_err(|_| unknown())?;
            let known = gate.store.conversation(&gate.tenant, id).await?.ok_or_else(unknown)?;
            if known.customer != customer && gate.claimed_by(known.customer).await? != Some(customer) {
                return Err(unknown());
            }
            gate.correct(customer, id, &label, value.expose()).await?;
            "corrected: the placeholder stands for the new value from the next message on\n".to_owned()
        }
        CustomerDeed::Consents => pretty(&gate.receipts(customer).await?)?,
        CustomerDeed::Consent { purpose, agreed } => {
            let decision = Decision { purpose: &purpose, agreed, language: None, way: Way::House };
            pretty(&gate.decide(customer, decision).await?)?
        }
        CustomerDeed::Restrict { restricted } => {
            gate.restand(customer, &Change::Restrict(restricted)).await?;
            if restricted {
                "restricted: nobody of the house may look at it\n"
            } else {
                "no longer restricted\n"
            }
            .to_owned()
        }
        CustomerDeed::Hold { until: Some(until), reason } => {
            gate.restand(customer, &Change::Hold { until: UnixMillis(until), reason }).await?;
            format!("held: nothing is deleted before {}\n", crate::rights::moment(UnixMillis(until)))
        }
        CustomerDeed::Hold { until: None, .. } => {
            gate.restand(customer, &Change::Release).await?;
            "no longer held\n".to_owned()
        }
    };
    Ok(Answer::Record { text })
}

fn pretty<T: serde::Serialize>(value: &T) -> Result<String, RightsError> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n").map_err(|_| RightsError::Inside("a document cannot be written"))
}

/// Writes a copy to a file of its owner's alone, which must not exist yet. Half a copy is removed.
async fn export(gate: &Gate, customer: CustomerId, file: &Path) -> Result<Answer, RightsError> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let Ok(made) = made else {
        return Ok(Answer::refused(Code::BadRequest, format!("{} cannot be made", file.display())));
    };
    let mut made = tokio::fs::File::from_std(made);
    let (send, mut pieces) = tokio::sync::mpsc::channel::<bytes::Bytes>(4);
    let writing = async move {
        while let Some(piece) = pieces.recv().await {
            made.write_all(&piece).await?;
        }
        made.sync_all().await
    };
    let (copied, written) = tokio::join!(gate.exported(customer, send), writing);
    if copied.is_err() || written.is_err() {
        let _half = std::fs::remove_file(file);
    }
    copied?;
    written.map_err(|_| RightsError::Inside("the file could not be written"))?;
    Ok(Answer::Record { text: format!("written: {}\n", file.display()) })
}

/// What goes in so many days, or (without) goes now.
pub(super) async fn retention(gate: &Gate, due_in_days: Option<u32>) -> Result<Answer, RightsError> {
    const DAY: u64 = 24 * 3600 * 1000;
    let text = match due_in_days {
        Some(days) => {
            let until = UnixMillis(gate.clock.now().0 + u64::from(days) * DAY);
            let due = gate.due(until).await?;
            let mut text = format!("until {}: {} turns\n", crate::rights::moment(until), due.turns);
            for (class, rows) in &due.values {
                text.push_str(&format!("values of class {}: {rows} rows\n", class.name()));
            }
            text
        }
        None => {
            let swept = gate.sweep().await?;
            format!(
                "deleted: {} turns, {} rows in all; values went from {} rows; {} keys destroyed\n",
                swept.turns, swept.rows, swept.values, swept.keys
            )
        }
    };
    Ok(Answer::Record { text })
}
