//! Records: sealed values under an id and a revision. Accounts, sessions, keys of programs and requests are kept so.
//!
//! What a record says is the vault's and the caller's business; here it is bytes. What several people must not do at once
//! is guarded by the revision: who changes a record names the one that was read, and a change that came too late is
//! refused as [`StoreError::Overtaken`](crate::StoreError::Overtaken), whole. What must be found otherwise than by its id
//! (a name to sign in with, a passkey) has a [`Handle`]: a keyed hash, unique in its kind.

use chatward_message::{CustomerId, Event, KeySlot, Purposes, Sealed, Standing, TenantId, UnixMillis};

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $code:literal, $word:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$of])* $variant,)+ }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for it, part of the place that a sealed value is bound to.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            pub(crate) const fn code(self) -> i64 {
                match self { $(Self::$variant => $code,)+ }
            }

            pub(crate) const fn of_code(code: i64) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

kinds! {
    /// What a record is. Codes are part of the stored form and never change meaning.
    RecordKind {
        /// How one person signs in.
        Account = 1, "account";
        /// A browser that is signed in.
        Session = 2, "session";
        /// A program with keys.
        Service = 3, "service";
        /// A request to break the glass.
        BreakGlass = 4, "break-glass";
        /// What is known of a house as a whole: who administers it.
        House = 5, "house";
        /// The answer that was given under an idempotency key.
        Answer = 6, "answer";
        /// Somebody without a name whose conversations are a customer's now. Its id is that of the one without a name;
        /// erasing the customer erases both.
        Claim = 7, "claim";
        /// A look at a customer's data: who, and why.
        Look = 8, "look";
        /// A customer's consents: each change of them, in which words, and by which way.
        Consent = 9, "consent";
        /// What a customer asked for by right, and what became of it.
        Request = 10, "request";
        /// A legal reason to delete nothing of a customer's for a while.
        Hold = 11, "hold";
        /// Proof of an erasure. It is nobody's: the customer is gone.
        Certificate = 12, "certificate";
        /// An erasure that was begun: whoever starts next finishes it. Its id is the customer's.
        Erasing = 13, "erasing";
        /// Something that a recipient is to be told of customers, until it was taken. It is nobody's.
        Notice = 14, "notice";
        /// The newest keys that this data was used with.
        Keys = 15, "newest-keys";
        /// The privacy notice as it was published, by its hash. It names nobody but the house.
        Published = 16, "published-notice";
        /// A way from the chat inside another site to the Privacy Centre, to be used once: whose browser it is of.
        Passage = 17, "passage";
        /// Somebody's word that a message was wrong: which, and why.
        Flag = 20, "flag";
        /// Who answers in a conversation. Its id is the conversation's.
        Handover = 21, "handover";
        /// What somebody of the house wrote to a customer.
        Written = 22, "written";
        /// Alerts that belong together, and who looks after them. It is nobody's: customers stand in it as keyed hashes.
        Incident = 23, "incident";
        /// A message that waits until one of the staff lets it go on, and what they decided.
        Waiting = 24, "waiting";
        /// How much was told in counts with noise (codes 30 to 39: numbers without people).
        Budget = 30, "privacy-budget";
    }
}

kinds! {
    /// How a record is found otherwise than by its id.
    HandleKind {
        /// The name to sign in with, of a member of staff.
        StaffName = 1, "staff-name";
        /// The name to sign in with, of a customer.
        CustomerName = 2, "customer-name";
        /// A passkey's id.
        Passkey = 3, "passkey";
        /// An account at the identity provider.
        Provider = 4, "provider";
        /// A key of a program.
        ServiceKey = 5, "service-key";
        /// An open invitation.
        Invitation = 6, "invitation";
        /// The customer whose account it is.
        Customer = 7, "customer";
        /// The open incident of a family of alerts about one subject.
        Incident = 8, "incident";
    }
}

/// A keyed hash under which one record is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle {
    /// Of what.
    pub kind: HandleKind,
    /// The hash.
    pub hash: [u8; 32],
}

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub kind: RecordKind,
    /// Its id, unique in its kind and tenant: 16 to 32 bytes.
    pub id: Box<[u8]>,
    /// How often it was written. At least 1.
    pub revision: u64,
    /// The slot of the key that it is sealed under.
    pub slot: KeySlot,
    /// Whose data it is. An erasure removes it, and gives back the slot above as one of the customer's: the key in it is
    /// destroyed. What is sealed under a key that others need is nobody's.
    pub customer: Option<CustomerId>,
    /// When it ends of itself, if it does: later it may be dropped at any time.
    pub until: Option<UnixMillis>,
    /// What it is kept for. Without a purpose nothing is kept.
    pub purposes: Purposes,
    /// What it says.
    pub sealed: Sealed,
}

/// A record to write.
#[derive(Debug, Clone)]
pub struct Put {
    /// The record as it is to be.
    pub record: Record,
    /// The revision that it replaces, lower than its own; none if it has to be new.
    pub was: Option<u64>,
    /// All its handles from now on; none to leave them as they are.
    pub handles: Option<Vec<Handle>>,
}

/// A record to remove. That it is gone already is no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// What it is.
    pub kind: RecordKind,
    /// Its id.
    pub id: Box<[u8]>,
}

/// What becomes durable together, or not at all.
#[derive(Debug, Clone)]
pub struct Changes {
    /// In whose house.
    pub tenant: TenantId,
    /// Removed first.
    pub removals: Vec<Removal>,
    /// Written then, in this order.
    pub puts: Vec<Put>,
    /// The events of it. A change without any leaves no trace in the log: a session was used, say.
    pub events: Vec<Event>,
    /// The customer whom the events are about: they stand in that customer's trail from then on ("who looked").
    pub about: Option<CustomerId>,
    /// Where a customer stands from then on, if that changes.
    pub standing: Option<NewStanding>,
}

/// A change of a customer's standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStanding {
    /// Whose.
    pub customer: CustomerId,
    /// What it is from now on; its revision is one more than the one that was read.
    pub to: Standing,
    /// What nothing that is kept of the customer is for any more.
    pub withdrawn: Purposes,
}

/// An event of a customer's trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Its index in the audit log.
    pub index: u64,
    /// The event as it was written (JSON).
    pub event: Box<str>,
}

/// A conversation in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConversationRow {
    /// Its id.
    pub id: chatward_message::ConversationId,
    /// The customer it is kept under: somebody without a name, if it was claimed.
    pub customer: CustomerId,
    /// The slot of the key that its contents are sealed under.
    pub slot: KeySlot,
    /// When it began.
    pub opened: UnixMillis,
}

/// A customer in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomerRow {
    /// The id.
    pub id: CustomerId,
    /// The slot of the key.
    pub slot: KeySlot,
}
