//! Audit events. They have no room for text: ids, counts, and words of closed lists only.

use serde::Serialize;

use crate::{
    Channel, Class, Factor, Kind, Operator, Purposes, Response, Subject, TenantId, Threat, TurnId,
    UnixMillis, View,
};

/// What happened. The serialised names are part of the log's format and never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The program started on this data.
    Started,
    /// A turn was opened: what the bot may see is durable.
    TurnOpened,
    /// A turn ended well: the answer is durable.
    TurnClosed,
    /// A turn was refused before anything went to the bot.
    TurnRefused,
    /// The bot failed, or the answer broke off; what had come is durable.
    TurnFailed,
    /// The client left before the end.
    TurnAbandoned,
    /// Found half-made at a start (after a crash) and closed.
    TurnInterrupted,
    /// Somebody was given what the bot received.
    ReceivedShown,
    /// A customer was erased: key destroyed, rows deleted.
    CustomerErased,
    /// Keys were renewed.
    KeysRotated,
    /// A new configuration came into force.
    ConfigChanged,
    /// Somebody was invited to a staff account.
    AccountInvited,
    /// A customer's account was opened.
    AccountOpened,
    /// An invited member of staff set up what signing in needs.
    AccountActivated,
    /// An administrator locked an account.
    AccountLocked,
    /// An administrator opened an account again.
    AccountUnlocked,
    /// A member of staff left: what signed in is wiped.
    AccountClosed,
    /// A member of staff was given other roles.
    RolesChanged,
    /// Somebody signed in; `factor` says with what.
    SignedIn,
    /// Signing in or showing a second factor failed; `reason` says why.
    SignInFailed,
    /// Too many tries failed in a row: the account waits.
    TriesPaused,
    /// As many tries failed as may fail in all: what can be guessed no longer signs in.
    TriesUsedUp,
    /// A second factor was shown.
    SteppedUp,
    /// A session was ended by its owner.
    SignedOut,
    /// All sessions of an account were ended.
    SignedOutEverywhere,
    /// Something that signs in was set up; `factor` says what.
    FactorAdded,
    /// Something that signs in was removed.
    FactorRemoved,
    /// Somebody else confirmed what was set up after a recovery.
    FactorConfirmed,
    /// A passkey's counter showed that there are two of it; it signs in no more.
    PasskeyCloned,
    /// A service account was made.
    ServiceMade,
    /// A key of a service account was made.
    ServiceKeyMade,
    /// Keys of a service account were withdrawn.
    ServiceKeyRevoked,
    /// A customer took over the conversation that this browser had begun without a name.
    ConversationClaimed,
    /// Somebody may do what `access` says; written before it is done.
    AccessAllowed,
    /// Somebody asked for what `access` says and may not; `reason` says why.
    AccessRefused,
    /// Somebody asks to see, for once, what their role does not show.
    BreakGlassRequested,
    /// Somebody else agreed to that.
    BreakGlassApproved,
    /// The operator began to copy the data, or the keyring, elsewhere.
    BackupBegun,
    /// A backup of the data is whole; `rows` counts its pieces.
    DataBackedUp,
    /// A copy of keyring and seal file is whole; `rows` counts its keys.
    KeyringBackedUp,
    /// The first start on data that came from a backup; `rows` counts the customers in it whose key was destroyed meanwhile and
    /// whose rows were dropped now.
    DataRestored,
    /// The operator proved that the recovery kit opens the keys.
    RecoveryDrilled,
    /// The operator put back older keys than were in use, knowing that keys which were destroyed since are in them.
    OlderKeysAccepted,
    /// The operator's key was put under another seal.
    OperatorKeyResealed,
    /// A customer agreed to what `purposes` says.
    ConsentGiven,
    /// A customer refused, objected to, or agrees no longer to what `purposes` says; it is kept for that no more.
    ConsentWithdrawn,
    /// A customer asked for what the law gives them; `right` says what.
    RequestReceived,
    /// Such a request went on; `right` and `reason` say what it is now.
    RequestMoved,
    /// A customer's data was given out to them.
    DataExported,
    /// A value was corrected; `kind` is in `access`.
    DataCorrected,
    /// A customer's data may only be kept from here on.
    ProcessingRestricted,
    /// That ended.
    RestrictionLifted,
    /// Nothing of a customer's may be deleted for a while, for a legal reason.
    HoldSet,
    /// That ended.
    HoldEnded,
    /// What was kept long enough was deleted; `rows` says how much, `purposes` for what it had been kept.
    RetentionSwept,
    /// A recipient was told what became of customers' data; `recipient` says who, `rows` of how many customers.
    RecipientTold,
    /// A recipient could not be told, or is none any more.
    RecipientNotTold,
    /// Proof of an erasure was made out.
    CertificateIssued,
    /// A list of keys of the encrypted channel is about to be handed out; `key` is the list's SHA-256.
    ChannelKeysListed,
    /// A privacy notice came into force; `notice` is its hash.
    NoticePublished,
    /// Something is done that the notice in force does not say: `class` is kept, or `upstream` was asked.
    NoticeDiffers,
    /// Counts with noise were asked for: what that costs is spent, whether or not they were given. `rows` is their number.
    StatisticsAsked,
    /// A customer called a message wrong; `reason` says in which way.
    MessageFlagged,
    /// A person looked at what was flagged, by a customer or an analyst, and says that it is what `reason` says.
    FlagConfirmed,
    /// A person looked at it, and sees no fault.
    FlagRefused,
    /// An analyst flagged a text; `reason` says as what.
    TextFlagged,
    /// Signs of an attack became an incident; `reason` says of which, `rows` how many alerts there are.
    IncidentOpened,
    /// It became worse, or ten times as many alerts.
    IncidentGrew,
    /// Somebody of the staff looks after it.
    IncidentAcknowledged,
    /// Somebody of the staff said that it is over.
    IncidentClosed,
    /// Somebody else answers in a conversation from here on; `reason` says who.
    HandedOver,
    /// Somebody of the house wrote to a customer.
    PersonWrote,
    /// A message waits until one of the staff lets it go on.
    MessageWaits,
    /// One of the staff let a message go on, or kept it back; `reason` says which.
    MessageDecided,
    /// A file was sent and goes no further; `signs` and `reason` say why.
    FileRefused,
    /// A file went on, and somebody should know of it: `signs`, or as `reason` why it could not be looked into as a whole.
    FileFlagged,
    /// A table in which nobody is named was given out. `rows` is how many it has.
    AnalyticsExported,
    /// Indicators are about to come on the house's own list; `rows` counts them, `key` is a keyed hash of the list that follows.
    IndicatorsListed,
    /// Indicators are about to be taken off it; the same of these.
    IndicatorsUnlisted,
}

/// A question about access that was decided. Words of closed lists only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// What was asked for.
    pub action: &'static str,
    /// What sort of actor asked: `staff`, `service`, `customer`.
    pub by: &'static str,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<&'static str>,
    /// Which class of data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// Which kind of data, where one value was meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Whether a reason was written.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reasoned: bool,
    /// Whether the number of a request or an incident was given.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ticket: bool,
    /// The hash of the policies that decided.
    pub policies: std::sync::Arc<str>,
}

/// How many findings of one kind were handled in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The kind found.
    pub kind: Kind,
    /// Its class.
    pub class: Class,
    /// What was done.
    pub operator: Operator,
    /// How often.
    pub n: u32,
}

/// An attack that was recognised, and what was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recognised {
    /// What it was taken for.
    pub threat: Threat,
    /// Where it was.
    pub channel: Channel,
    /// By which sign.
    pub sign: Box<str>,
    /// In which form of the text.
    pub view: View,
    /// How sure, in hundredths.
    pub score: u8,
    /// What was done.
    pub response: Response,
}

/// What else is known of an event. Everything is optional and left out when empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Facts {
    /// Name of the upstream in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<std::sync::Arc<str>>,
    /// Name of the recipient in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<std::sync::Arc<str>>,
    /// The purpose and basis in force: `service/contract`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<&'static str>,
    /// Short hash of the rule set that looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<std::sync::Arc<str>>,
    /// Short hash of the configuration (handling deviations included).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<std::sync::Arc<str>>,
    /// Why, as a stable code of `docs/errors.md`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What was found and done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Count>,
    /// Attacks that were recognised.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub threats: Vec<Recognised>,
    /// Placeholders restored.
    #[serde(skip_serializing_if = "is_zero")]
    pub restored: u32,
    /// Things that looked like placeholders but were not issued here.
    #[serde(skip_serializing_if = "is_zero")]
    pub missed: u32,
    /// A count whose meaning the action gives (rows deleted, keys wrapped anew, …).
    #[serde(skip_serializing_if = "is_zero")]
    pub rows: u32,
    /// First bytes of the hash of a key that was destroyed or made, in hex, or the hash that the action gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Box<str>>,
    /// With what somebody signed in, or what was set up or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<Factor>,
    /// Who did it, where it was not the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Subject>,
    /// The roles given, as words of a closed list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<&'static str>,
    /// What was asked and decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// What a message is kept for, or what was agreed to, withdrawn or deleted.
    #[serde(skip_serializing_if = "Purposes::is_empty")]
    pub purposes: Purposes,
    /// The revision of the customer's [`Standing`](crate::Standing) that was in force, or that came into force.
    #[serde(skip_serializing_if = "is_none_yet")]
    pub standing: u64,
    /// Which right was asked for, as a word of a closed list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<&'static str>,
    /// First bytes of the hash of the privacy notice in force, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<std::sync::Arc<str>>,
    /// The class of data that it does not speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// The ε of differential privacy that was spent, in millionths.
    #[serde(skip_serializing_if = "is_none_yet")]
    pub epsilon: u64,
    /// The epoch of the keys that was in force, or that came into force.
    #[serde(skip_serializing_if = "is_none_yet")]
    pub epoch: u64,
    /// Ids of the signs of a threat that were seen: of closed lists, of the operator's own rules, or of the virus scanner.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signs: Vec<Box<str>>,
    /// Rows of a table that were left out, because they would have stood out.
    #[serde(skip_serializing_if = "is_none_yet")]
    pub suppressed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_none_yet(n: &u64) -> bool {
    *n == 0
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: UnixMillis,
    /// In whose house.
    pub tenant: TenantId,
    /// What.
    pub action: Action,
    /// In which turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// About whom, as a pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The rest.
    #[serde(flatten)]
    pub facts: Facts,
}
