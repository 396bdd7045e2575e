#![allow(missing_docs, clippy::all, unused)]
use crate::record::*;
use crate::*;
use chatward_message::*;
impl Store {
    pub async fn change(&self, c: Changes) -> Result<Option<Receipt>, StoreError> {
        unimplemented!()
    }
    pub async fn append_about(
        &self,
        t: TenantId,
        c: CustomerId,
        e: Vec<Event>,
    ) -> Result<Receipt, StoreError> {
        unimplemented!()
    }
    pub async fn record(&self, t: &TenantId, k: RecordKind, id: &[u8]) -> Result<Option<Record>, StoreError> {
        unimplemented!()
    }
    pub async fn record_by(&self, t: &TenantId, h: Handle) -> Result<Option<Record>, StoreError> {
        unimplemented!()
    }
    pub async fn records(
        &self,
        t: &TenantId,
        k: RecordKind,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        unimplemented!()
    }
    pub async fn records_of(
        &self,
        t: &TenantId,
        k: RecordKind,
        c: CustomerId,
    ) -> Result<Vec<Record>, StoreError> {
        unimplemented!()
    }
    pub async fn drop_ended(&self, t: &TenantId, now: UnixMillis) -> Result<u64, StoreError> {
        unimplemented!()
    }
    pub async fn trail(
        &self,
        t: &TenantId,
        c: CustomerId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Trace>, StoreError> {
        unimplemented!()
    }
    pub async fn conversations_of(
        &self,
        t: &TenantId,
        c: CustomerId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        unimplemented!()
    }
    pub async fn customers(
        &self,
        t: &TenantId,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<Vec<CustomerRow>, StoreError> {
        unimplemented!()
    }
}
