//! The way from the chat inside another site to the Privacy Centre.
//!
//! A browser keeps its cookies of a page inside another site apart from those of the same page in a window of its own (CHIPS). So
//! that the Privacy Centre, which opens in a window, is about who writes in the chat, the chat hands on which browser it is: by a
//! code of 256 random bits that counts once, within a minute. What is stored is a keyed hash of the code, and the browser under the
//! house's own key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatward_message::UnixMillis;
use chatward_store::StoreError;
use chatward_store::record::{Changes, Put, Record, RecordKind};
use zeroize::Zeroizing;

use super::{Directory, Failed};
use crate::caller::{BrowserId, random};

/// How long a code counts, in milliseconds.
const LIFE: u64 = 60_000;

impl Directory {
    /// A code for this browser.
    ///
    /// # Errors
    /// If it cannot be stored: the fault is ours.
    pub(crate) async fn begin_passage(&self, browser: &BrowserId) -> Result<Zeroizing<String>, Failed> {
        let code = Zeroizing::new(URL_SAFE_NO_PAD.encode(random::<32>()?));
        let id = self.passage_id(&code)?;
        let record =
            self.seal(&self.house_key().await?, RecordKind::Passage, id.to_vec(), 1, browser.as_bytes())?;
        self.put_passage(record, None).await?;
        Ok(code)
    }

    /// The browser that a code is for. It counts once.
    ///
    /// # Errors
    /// If that cannot be found out: the fault is ours.
    pub(crate) async fn end_passage(&self, code: &str) -> Result<Option<BrowserId>, Failed> {
        let id = self.passage_id(code)?;
        let found = self.0.gate.store.record(self.tenant(), RecordKind::Passage, &id).await?;
        let now = self.now();
        let lives = |record: &Record| record.revision == 1 && record.until.is_some_and(|until| until > now);
        let Some(record) = found.filter(lives) else { return Ok(None) };
        let browser = BrowserId::from_bytes(&self.open(&record).await?.plain);
        let used = self.seal(&self.house_key().await?, RecordKind::Passage, id.to_vec(), 2, b"")?;
        match self.put_passage(used, Some(1)).await {
            Ok(()) => Ok(browser),
            // Somebody else was quicker with the same code.
            Err(Failed::Store(StoreError::Overtaken)) => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    fn passage_id(&self, code: &str) -> Result<[u8; 16], Failed> {
        Ok(self.0.gate.vault.name_key(self.tenant(), "passage", &[code.as_bytes()])?)
    }

    async fn put_passage(&self, record: Record, was: Option<u64>) -> Result<(), Failed> {
        let record = Record { until: Some(UnixMillis(self.now().0.saturating_add(LIFE))), ..record };
        let changes = Changes {
            tenant: self.tenant().clone(),
            removals: Vec::new(),
            puts: vec![Put { record, was, handles: None }],
            events: Vec::new(),
            about: None,
            standing: None,
        };
        self.0.gate.store.change(changes).await?;
        Ok(())
    }
}
