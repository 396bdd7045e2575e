//! Whose conversation a request belongs to (`docs/decisions/0003-whose-conversation.md`).
//!
//! Ids count only inside the caller: every key is an HMAC over the caller and what it said, so nobody can name another's
//! conversation. A conversation that no id names is recognised by its history, and then restores only what stands in the
//! request itself.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use aws_lc_rs::digest;
use chatward_message::{ConversationId, CustomerId, KeySlot, Standing};
use chatward_store::{Conversation, HistoryMatch, Recall};
use chatward_vault::{CustomerKey, Labels, Placeholders, Scope, VaultError, random_id};
use http::HeaderMap;
use lru::LruCache;
use tokio::sync::OwnedMutexGuard;

use super::{Force, Gate, TurnError};
use crate::caller::{CONVERSATION_HEADER, CUSTOMER_HEADER, Caller, GivenId, KeyedHash as _};
use crate::openai::{FieldKind, Request, Role};

/// Named conversations whose table is kept in memory.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(2048).unwrap();

/// What the caller said about who and what this is, turned into keys of ours.
#[derive(Debug)]
pub(super) struct Names {
    conversation: Option<ConversationId>,
    customer: Option<CustomerId>,
    /// How the customer was named.
    given: Option<GivenId>,
    /// The HMAC scope of history tags and anonymous customers: the caller, and the customer if one is named.
    scope: Vec<u8>,
}

impl Names {
    /// Makes keys of the ids that came in headers or, failing those, in the body. A customer named in a header needs a
    /// trusted caller.
    pub(super) fn of(
        gate: &Gate,
        force: &Force,
        arrival: (&Caller, &HeaderMap),
        request: &Request,
    ) -> Result<Self, TurnError> {
        let (caller, headers) = arrival;
        let keyed = gate.keyed();
        let from_body =
            |text: Option<&str>| text.map(GivenId::from_body).transpose().map_err(TurnError::Told);
        let in_metadata = |keys: &[String]| keys.iter().find_map(|key| request.metadata(key));

        let given = match GivenId::from_header(headers, CUSTOMER_HEADER).map_err(TurnError::Told)? {
            Some(id) => Some(id),
            None => from_body(
                in_metadata(&force.config.metadata.customer)
                    .or_else(|| request.safety_identifier())
                    .or_else(|| request.user()),
            )?,
        };
        let named = given;
        let customer = match &named {
            Some(id) => Some(caller.customer(id, keyed).map_err(TurnError::Told)?),
            None => caller.page_customer(keyed),
        };
        let scope = scope_of(caller, customer.as_ref());
        let given = match GivenId::from_header(headers, CONVERSATION_HEADER).map_err(TurnError::Told)? {
            Some(id) => Some(id),
            None => from_body(in_metadata(&force.config.metadata.conversation))?,
        };
        let conversation = given.map(|id| Self::conversation_of(gate, caller, customer.as_ref(), &id));
        Ok(Self { conversation, customer, given: named, scope })
    }

    /// Whether the customer is known by more than this conversation.
    pub(super) const fn is_named(&self) -> bool {
        self.customer.is_some()
    }

    /// The key of a conversation that is named. One customer cannot enter the conversation of another by naming it.
    pub(super) fn conversation_of(
        gate: &Gate,
        caller: &Caller,
        customer: Option<&CustomerId>,
        given: &GivenId,
    ) -> ConversationId {
        let keyed = gate.keyed();
        let within = caller.conversation(given, keyed);
        let parts: [&[u8]; 2] = [&scope_of(caller, customer), within.as_bytes()];
        ConversationId::from_bytes(keyed.hash(&gate.tenant, "conversation-within", &parts))
    }

    /// The tag under which a history is known, keyed and inside the caller.
    pub(super) fn tag(&self, gate: &Gate, history: &digest::Digest) -> [u8; 16] {
        gate.keyed().hash(&gate.tenant, "history", &[&self.scope, history.as_ref()])
    }

    /// What stands for an id towards the bot, if it is what named the customer.
    pub(super) fn outside(&self, gate: &Gate, id: &str) -> Option<String> {
        self.given.as_ref().filter(|given| given.is(id))?;
        Some(gate.name_outside(self.customer?))
    }

    /// Whether the conversation has to be recognised by its history.
    pub(super) fn by_history(&self) -> bool {
        self.conversation.is_none()
    }
}

fn scope_of(caller: &Caller, customer: Option<&CustomerId>) -> Vec<u8> {
    let mut scope = caller.identity().to_vec();
    if let Some(customer) = customer {
        scope.extend_from_slice(customer.as_bytes());
    }
    scope
}

/// The messages of a request as running hashes, taken before the texts are given away.
pub(super) struct History {
    /// Up to and with the last message of the bot; nothing if the bot has not spoken yet.
    pub(super) until_bot: Option<digest::Digest>,
    /// Up to and with the last message.
    pub(super) whole: digest::Context,
}

impl History {
    /// Hashes roles and contents, message by message.
    pub(super) fn of(request: &Request) -> Self {
        let mut whole = digest::Context::new(&digest::SHA256);
        let mut until_bot = None;
        let mut open: Option<(usize, Role, u64)> = None;
        let close =
            |whole: &mut digest::Context, open: Option<(usize, Role, u64)>, until_bot: &mut Option<_>| {
                if let Some((_, role, length)) = open {
                    end_message(whole, role, length);
                    if role == Role::Assistant {
                        *until_bot = Some(whole.clone().finish());
                    }
                }
            };
        for field in request.fields() {
            let Some(message) = field.message else { continue };
            if open.is_none_or(|(number, ..)| number != message) {
                close(&mut whole, open.take(), &mut until_bot);
                open = Some((message, field.role, 0));
            }
            if matches!(field.kind, FieldKind::Content | FieldKind::Part(_))
                && let Some((_, _, length)) = &mut open
            {
                whole.update(field.text.expose().as_bytes());
                *length += field.text.len() as u64;
            }
        }
        close(&mut whole, open.take(), &mut until_bot);
        Self { until_bot, whole }
    }

    /// The hash of this history and one answer after it, whose text was already fed to `answered`.
    pub(super) fn with_answer(mut answered: digest::Context, length: u64) -> digest::Digest {
        end_message(&mut answered, Role::Assistant, length);
        answered.finish()
    }
}

fn end_message(hash: &mut digest::Context, role: Role, length: u64) {
    hash.update(&length.to_le_bytes());
    hash.update(&[0, role as u8]);
}

/// A conversation entered for one turn.
pub(super) struct Entered {
    pub(super) id: ConversationId,
    pub(super) customer: CustomerId,
    pub(super) scope: Scope,
    state: Held,
}

enum Held {
    /// Named: one turn at a time may change its table.
    Shared(OwnedMutexGuard<Option<State>>),
    /// Recognised by its history, or new and unnamed: nobody else can find it meanwhile.
    Own(Box<State>),
}

/// The key and table of a conversation in memory.
pub(crate) struct State {
    customer: CustomerId,
    pub(crate) slot: KeySlot,
    pub(crate) key: CustomerKey,
    pub(crate) table: Placeholders,
    /// Where the customer stood when this was loaded. Should it be otherwise by now, the store refuses the turn.
    standing: Standing,
}

impl Entered {
    /// Key and table. Nothing only if a turn before this one failed while the conversation was being loaded.
    pub(super) fn state(&mut self) -> Result<&mut State, TurnError> {
        match &mut self.state {
            Held::Shared(guard) => guard.as_mut().ok_or(TurnError::Internal("conversation without state")),
            Held::Own(state) => Ok(state),
        }
    }

    /// Where the customer stands, as far as is known.
    pub(super) fn standing(&self) -> &Standing {
        static NOTHING_SAID: LazyLock<Standing> = LazyLock::new(Standing::default);
        match &self.state {
            Held::Shared(guard) => guard.as_ref().map_or(&*NOTHING_SAID, |state| &state.standing),
            Held::Own(state) => &state.standing,
        }
    }

    /// Forgets what is in memory, after a commit that failed: the next turn loads what is really durable.
    pub(super) fn unload(mut self) {
        if let Held::Shared(guard) = &mut self.state {
            **guard = None;
        }
    }
}

type Slot = Arc<tokio::sync::Mutex<Option<State>>>;

/// The conversations in memory.
pub(crate) struct Conversations {
    named: Mutex<LruCache<ConversationId, Slot>>,
    /// Key slots given to new customers by this process: two first messages of one customer at once get one key.
    given: Mutex<LruCache<CustomerId, KeySlot>>,
}

impl Default for Conversations {
    fn default() -> Self {
        Self { named: Mutex::new(LruCache::new(REMEMBERED)), given: Mutex::new(LruCache::new(REMEMBERED)) }
    }
}

/// What is needed to look conversations up.
#[derive(Clone, Copy)]
pub(crate) struct Rooms<'a> {
    pub(crate) gate: &'a Gate,
    pub(crate) labels: &'a Arc<Labels>,
}

impl Conversations {
    /// Finds or begins the conversation of a request.
    pub(super) async fn enter(
        &self,
        rooms: Rooms<'_>,
        names: &Names,
        history: &History,
    ) -> Result<Entered, TurnError> {
        match names.conversation {
            Some(id) => self.enter_named(rooms, names, id).await,
            None => self.enter_by_history(rooms, names, history).await,
        }
    }

    async fn enter_named(
        &self,
        rooms: Rooms<'_>,
        names: &Names,
        id: ConversationId,
    ) -> Result<Entered, TurnError> {
        let slot = {
            let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(named.get_or_insert(id, Slot::default))
        };
        let mut guard = slot.lock_owned().await;
        // Where other processes write too, what is remembered may be old.
        if guard.is_none() || rooms.gate.store.is_shared() {
            let wanted = names.customer.unwrap_or_else(|| anonymous(id));
            let recalled = rooms
                .gate
                .store
                .recall(Recall {
                    tenant: rooms.gate.tenant.clone(),
                    customer: Some(wanted),
                    conversation: Some(id),
                    history: None,
                })
                .await?;
            let state = match recalled.conversation {
                Some(known) => load(rooms, &known, recalled.standing).await?,
                None => self.begin(rooms, (wanted, recalled.standing), recalled.slot, true).await?,
            };
            *guard = Some(state);
        }
        let customer = guard.as_ref().map_or_else(|| anonymous(id), |state| state.customer);
        Ok(Entered { id, customer, scope: Scope::Conversation, state: Held::Shared(guard) })
    }

    async fn enter_by_history(
        &self,
        rooms: Rooms<'_>,
        names: &Names,
        history: &History,
    ) -> Result<Entered, TurnError> {
        let tag = history.until_bot.as_ref().map(|digest| names.tag(rooms.gate, digest));
        let (mut slot, mut standing) = (None, Standing::default());
        if tag.is_some() || names.customer.is_some() {
            let recalled = rooms
                .gate
                .store
                .recall(Recall {
                    tenant: rooms.gate.tenant.clone(),
                    customer: names.customer,
                    conversation: None,
                    history: tag,
                })
                .await?;
            if let (HistoryMatch::One(_), Some(known)) = (recalled.history, recalled.conversation) {
                let state = load(rooms, &known, recalled.standing).await?;
                return Ok(Entered {
                    id: known.id,
                    customer: known.customer,
                    scope: Scope::ThisRequest,
                    state: Held::Own(Box::new(state)),
                });
            }
            (slot, standing) = (recalled.slot, recalled.standing);
        }
        let id = ConversationId::from_bytes(new_id(rooms.gate)?);
        let customer = names.customer.unwrap_or_else(|| anonymous(id));
        let state = self.begin(rooms, (customer, standing), slot, names.customer.is_some()).await?;
        Ok(Entered { id, customer, scope: Scope::ThisRequest, state: Held::Own(Box::new(state)) })
    }

    /// The state of a conversation that begins: its customer's key, or a new one.
    async fn begin(
        &self,
        rooms: Rooms<'_>,
        (customer, standing): (CustomerId, Standing),
        slot: Option<KeySlot>,
        nameable: bool,
    ) -> Result<State, TurnError> {
        let given = || self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match slot {
            Some(slot) => Some(slot),
            None if !nameable => None,
            None => {
                let ours = given().get(&customer).copied();
                // Another process may have erased the customer since.
                let alive = match ours {
                    Some(slot) if rooms.gate.store.is_shared() => {
                        !matches!(rooms.gate.vault.customer_key(slot).await, Err(VaultError::NoKey { .. }))
                    }
                    _ => true,
                };
                if !alive {
                    given().pop(&customer);
                }
                ours.filter(|_| alive)
            }
        };
        let (slot, key) = match slot {
            Some(slot) => (slot, rooms.gate.vault.customer_key(slot).await?),
            None => {
                let (fresh, key) = rooms.gate.vault.fresh_customer().await?;
                let slot = if nameable { *given().get_or_insert(customer, || fresh) } else { fresh };
                if slot == fresh { (slot, key) } else { (slot, rooms.gate.vault.customer_key(slot).await?) }
            }
        };
        let table = Placeholders::new(Arc::clone(rooms.labels));
        Ok(State { customer, slot, key, table, standing })
    }

    /// The key of a customer who has written nothing yet: the one that their first message will have.
    pub(crate) async fn key_for(
        &self,
        gate: &Gate,
        customer: CustomerId,
    ) -> Result<(KeySlot, CustomerKey), VaultError> {
        let (fresh, key) = gate.vault.fresh_customer().await?;
        let slot = {
            let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
            *given.get_or_insert(customer, || fresh)
        };
        if slot == fresh { Ok((slot, key)) } else { Ok((slot, gate.vault.customer_key(slot).await?)) }
    }

    /// Drops all tables from memory that no turn is using: the next turn of each loads what is left in the store.
    pub(crate) async fn unload_all(&self) {
        let slots: Vec<Slot> = {
            let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
            named.iter().map(|(_, slot)| Arc::clone(slot)).collect()
        };
        for slot in slots {
            *slot.lock().await = None;
        }
    }

    /// Drops everything of a customer from memory; waits for turns that are using it.
    pub(crate) async fn forget(&self, customer: CustomerId) {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).pop(&customer);
        let slots: Vec<(ConversationId, Slot)> = {
            let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
            named.iter().map(|(id, slot)| (*id, Arc::clone(slot))).collect()
        };
        for (id, slot) in slots {
            let mut state = slot.lock().await;
            if state.as_ref().is_some_and(|state| state.customer == customer) {
                *state = None;
                self.named.lock().unwrap_or_else(PoisonError::into_inner).pop(&id);
            }
        }
    }
}

/// 6 bytes of time (milliseconds) and 10 random ones: ids that grow with time stand side by side in the store, and commits
/// cost by the pages they touch.
fn new_id(gate: &Gate) -> Result<[u8; 16], TurnError> {
    let [_, _, time @ ..] = gate.clock.now().0.to_be_bytes();
    let mut id: [u8; 16] = random_id().map_err(VaultError::from)?;
    id.iter_mut().zip(time).for_each(|(to, from)| *to = from);
    Ok(id)
}

/// The customer of a conversation for which nobody named one: known by it alone, and kept in one row with it.
fn anonymous(id: ConversationId) -> CustomerId {
    CustomerId::from_bytes(*id.as_bytes())
}

pub(super) async fn load(
    rooms: Rooms<'_>,
    known: &Conversation,
    standing: Standing,
) -> Result<State, TurnError> {
    let gate = rooms.gate;
    let key = gate.vault.customer_key(known.slot).await?;
    let table = gate.vault.open_entries(&key, &gate.tenant, Arc::clone(rooms.labels), known)?;
    Ok(State { customer: known.customer, slot: known.slot, key, table, standing })
}
