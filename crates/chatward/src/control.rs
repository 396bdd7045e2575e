//! `DIR/control.sock`: how the command line tells the running process what to do.
//!
//! One JSON object a line each way: a command of at most 64 KiB, an answer of at most 64 MiB. The socket is 0600 and lies in the data folder: whoever can open it
//! owns the data anyway. It is made while the data folder's lock is held, so a socket that is already there is a left-over
//! of a dead process and is removed. With no process running a command takes the lock and works on the data itself: that
//! is the [`Handler`] again, made by whoever opens the data.

use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chatward_message::Channel;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::feedback::Label;
use crate::identity::secret::SecretText;
use crate::identity::service::{Scope, Service};
use crate::identity::{Account, Holder, Role};
use crate::intel::{FeedStatus, GivenStatus, OwnEntry};
use crate::numbers::export::Wanted;
use crate::numbers::statistics::{Counts, Question};
use crate::problem::Code;
use crate::records::Asked;

/// The socket's name in the data folder.
pub const SOCKET: &str = "control.sock";
/// The longest line, in bytes.
const LONGEST: u64 = 64 << 10;
/// The longest answer, in bytes.
const LONGEST_ANSWER: u64 = 64 << 20;
/// How long one may take to send a line.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many may talk at once.
const MOST: usize = 16;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", deny_unknown_fields)]
pub enum Request {
    /// Renew the epoch key and wrap every customer key anew.
    #[serde(rename = "keys.rotate")]
    KeysRotate,
    /// Destroy a customer's key and rows.
    #[serde(rename = "customer.erase")]
    CustomerErase {
        /// `cust_…`
        id: String,
    },
    /// Read the configuration again.
    #[serde(rename = "config.reload")]
    ConfigReload,
    /// Invite somebody to the staff.
    #[serde(rename = "staff.invite")]
    StaffInvite {
        /// The name to sign in with.
        name: SecretText,
        /// The roles.
        roles: Vec<Role>,
    },
    /// Who is on the staff.
    #[serde(rename = "staff.list")]
    StaffList {
        /// The `next` of the answer before.
        after: Option<String>,
    },
    /// Do something to a member of staff's account.
    #[serde(rename = "staff.do")]
    Staff {
        /// `acct_…`
        id: String,
        /// What.
        deed: Deed,
    },
    /// Make an account for a program.
    #[serde(rename = "programs.make")]
    ProgramMake {
        /// What it is called.
        name: SecretText,
    },
    /// Which programs have accounts.
    #[serde(rename = "programs.list")]
    ProgramList,
    /// Make a key for a program.
    #[serde(rename = "programs.key")]
    ProgramKey {
        /// `svc_…`
        id: String,
        /// What it may be used for.
        scopes: Vec<Scope>,
        /// How many days it lives.
        days: u16,
    },
    /// Withdraw every key of a program.
    #[serde(rename = "programs.revoke")]
    ProgramRevoke {
        /// `svc_…`
        id: String,
    },
    /// Begin a backup, or go on with one; it works in the background.
    #[serde(rename = "backup.start")]
    BackupStart {
        /// Where to, absolute.
        to: PathBuf,
        /// The keyring, not the data.
        keyring: bool,
    },
    /// How far the backup is.
    #[serde(rename = "backup.look")]
    BackupLook,
    /// Write down that the operator did something with keys outside of this process.
    #[serde(rename = "keys.note")]
    KeysNote {
        /// What.
        what: KeysDeed,
    },
    /// Count over all customers, with noise.
    #[serde(rename = "numbers.statistics")]
    Statistics {
        /// What.
        question: Question,
    },
    /// Write a table for analytics to a file.
    #[serde(rename = "numbers.export")]
    Export {
        /// Where to, absolute; nothing may stand there.
        file: String,
        /// What.
        wanted: Wanted,
    },
    /// Erase many customers in one go.
    #[serde(rename = "customer.erase-many")]
    CustomersErase {
        /// A file with an id a line, absolute.
        file: String,
    },
    /// Something about one customer's rights.
    #[serde(rename = "customer.do")]
    Customer {
        /// As for an erasure.
        id: String,
        /// What.
        deed: CustomerDeed,
    },
    /// What goes because it was kept long enough: in so many days, or, without a number, now.
    #[serde(rename = "retention")]
    Retention {
        /// In how many days.
        due_in_days: Option<u32>,
    },
    /// Write a record out of the configuration and the log.
    #[serde(rename = "records.make")]
    Record {
        /// Which.
        asked: Asked,
    },
    /// How feeds of threat intelligence stand.
    #[serde(rename = "intel.status")]
    IntelStatus,
    /// Look at feeds now.
    #[serde(rename = "intel.pull")]
    IntelPull {
        /// Which; all of them without a name.
        feed: Option<String>,
    },
    /// Who lists something.
    #[serde(rename = "intel.test")]
    IntelTest {
        /// What: domains, URLs, addresses, hashes, e-mail addresses.
        values: Vec<String>,
    },
    /// Change the house's own indicators.
    #[serde(rename = "intel.own")]
    IntelOwn {
        /// Which.
        entries: Vec<OwnEntry>,
        /// Take them off the list.
        remove: bool,
    },
    /// The house's own indicators in a form that others read.
    #[serde(rename = "intel.share")]
    IntelShare {
        /// `stix` or `misp`.
        form: ShareForm,
    },
    /// Give the house's own indicators and its sightings to a place of the configuration.
    #[serde(rename = "intel.give")]
    IntelGive {
        /// Which.
        to: String,
    },
    /// Something about flags and cases.
    #[serde(rename = "feedback.do")]
    Feedback {
        /// What.
        deed: FeedbackDeed,
    },
    /// How the process is.
    #[serde(rename = "status")]
    Status,
}

/// What is done with flags and cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedbackDeed {
    /// Which flags there are, without any text.
    List {
        /// Also those that are decided.
        all: bool,
    },
    /// One of them, with its texts, without anybody's data.
    Show {
        /// Its id.
        id: String,
    },
    /// An analyst flags a text.
    Add {
        /// The text.
        text: SecretText,
        /// What it is.
        label: Label,
        /// Where it was said.
        channel: Channel,
    },
    /// It becomes a case.
    Confirm {
        /// Its id.
        id: String,
        /// What the reviewer says.
        verdict: Verdict,
    },
    /// It does not.
    Refuse {
        /// Its id.
        id: String,
        /// Why, for whoever flagged it.
        note: SecretText,
    },
    /// How many there are of each sort.
    Status,
    /// All cases.
    Export,
}

/// What a reviewer says of a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// What it is; what the analyst said who flagged it, if nothing is said.
    pub label: Option<Label>,
    /// Which side of the conversation is meant.
    pub channel: Option<Channel>,
    /// The text to keep instead.
    pub text: Option<SecretText>,
    /// What is to be kept with the case.
    pub note: SecretText,
    /// The `seen` of the preview; without it nothing is kept, and there is one.
    pub seen: Option<String>,
}

/// In which form indicators are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ShareForm {
    /// A STIX 2.1 bundle.
    Stix,
    /// A MISP event.
    Misp,
}

/// Who lists something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tested {
    /// What was asked for.
    pub value: String,
    /// Why it cannot be looked for, if it cannot.
    pub fault: Option<String>,
    /// Who lists it, with what is known of it, in words.
    pub by: Vec<String>,
}

/// What the operator did with keys outside of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeysDeed {
    /// Proved that the recovery kit opens them.
    RecoveryDrilled,
    /// Put the operator's key under another seal.
    Resealed,
}

/// How a backup stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is being made.
    Working,
    /// It is whole.
    Done,
}

/// What is done to a member of staff's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Its sessions end, nothing signs in.
    Lock,
    /// It may sign in again.
    Unlock,
    /// The person leaves.
    Close,
    /// What signed in is wiped; there is a new invitation.
    InviteAgain,
}

/// What is done about one customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CustomerDeed {
    /// Everything that is kept goes into a zip.
    Export {
        /// Absolute; nothing may stand there.
        file: String,
    },
    /// A value is another one from now on.
    Correct {
        /// `conv_…`
        conversation: String,
        /// `EMAIL_1`
        label: String,
        /// What it really is.
        value: SecretText,
    },
    /// The receipts of all decisions.
    Consents,
    /// A decision, as the customer told the house.
    Consent {
        /// The purpose's name.
        purpose: String,
        /// Yes or no.
        agreed: bool,
    },
    /// Freezing, or its end.
    Restrict {
        /// Whether nobody of the house may look at it.
        restricted: bool,
    },
    /// A hold, or its end.
    Hold {
        /// Until when, in milliseconds since 1970; none ends it.
        until: Option<u64>,
        /// The legal reason.
        reason: String,
    },
}

/// A member of staff in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// `acct_…`
    pub id: String,
    /// The name to sign in with.
    pub name: SecretText,
    /// `invited`, `active`, `locked`, `closed`.
    pub state: String,
    /// The roles.
    pub roles: Vec<Role>,
}

impl Person {
    /// Of this account.
    pub fn of(account: &Account) -> Self {
        Self {
            id: account.id().to_string(),
            name: account.name().clone(),
            state: account.state().name().to_owned(),
            roles: match account.holder() {
                Holder::Staff { roles, .. } => roles.iter().copied().collect(),
                Holder::Customer { .. } => Vec::new(),
            },
        }
    }
}

/// A program in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// `svc_…`
    pub id: String,
    /// What it is called.
    pub name: SecretText,
    /// How many keys it has.
    pub keys: usize,
}

impl Program {
    /// Of this service account.
    pub fn of(service: &Service) -> Self {
        Self { id: service.id().to_string(), name: service.name().clone(), keys: service.keys().len() }
    }
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// Keys were renewed.
    Rotated {
        /// The new epoch.
        epoch: u64,
        /// Customer keys wrapped anew.
        keys: u64,
    },
    /// A customer was erased: the key is destroyed and every cache has dropped it.
    Erased {
        /// Rows deleted.
        rows: u64,
        /// The ids of the certificates of it.
        certificates: Vec<String>,
    },
    /// Somebody was invited.
    Invited {
        /// `acct_…`
        id: String,
        /// The token; it counts once, for three days.
        token: SecretText,
        /// The page where it is used, with the token in the part of the address that browsers keep to themselves; absent if
        /// nobody knows at which address the page is.
        link: Option<SecretText>,
    },
    /// Members of staff.
    Staff {
        /// Who.
        people: Vec<Person>,
        /// To be given as `after` for more.
        next: Option<String>,
    },
    /// Programs.
    Programs {
        /// Which.
        programs: Vec<Program>,
    },
    /// A key was made.
    Key {
        /// `svc_…`
        id: String,
        /// The key, shown once.
        key: SecretText,
    },
    /// The configuration was read.
    Reloaded {
        /// Its short hash.
        hash: String,
        /// What only the next start will change.
        at_next_start: Vec<String>,
    },
    /// How far a backup is.
    Backup {
        /// Where to.
        to: PathBuf,
        /// How it stands.
        standing: Standing,
        /// Bytes done, of how many; none of a keyring's.
        bytes: (u64, u64),
        /// Bytes that were there already.
        found: u64,
        /// Files of the data, or keys of the keyring, once it is done.
        count: u64,
    },
    /// It is written down.
    Noted,
    /// How the process is.
    Status {
        /// Program version.
        version: String,
        /// Seconds since the start.
        uptime: u64,
        /// Short hash of the configuration in force.
        config: String,
        /// Short hash of the rules in force.
        rules: String,
        /// What is missing for work; empty when all is well.
        missing: Vec<String>,
        /// What does not do its part although work goes on; empty when all is well.
        degraded: Vec<String>,
    },
    /// Counts.
    Counted {
        /// Which.
        counts: Box<Counts>,
    },
    /// A table was written.
    Exported {
        /// Its rows.
        rows: u64,
        /// Rows that were left out.
        suppressed: u64,
        /// Customers of the smallest class.
        smallest: Option<u32>,
        /// The file that says what it is.
        manifest: String,
    },
    /// How feeds stand.
    Intel {
        /// Each of them.
        feeds: Vec<FeedStatus>,
        /// Whom the house gives what it knows.
        #[serde(default)]
        shares: Vec<GivenStatus>,
    },
    /// Something was given.
    IntelGiven {
        /// How many objects.
        objects: u64,
        /// Why they were not.
        fault: Option<String>,
    },
    /// Who lists what was asked for.
    IntelTested {
        /// Each of them.
        tested: Vec<Tested>,
    },
    /// The house's own indicators were changed.
    IntelOwn {
        /// How many came on the list, or were taken off it.
        done: usize,
        /// What was not taken, and why.
        refused: Vec<(String, String)>,
    },
    /// A record.
    Record {
        /// Its text.
        text: String,
    },
    /// What would be kept.
    Preview {
        /// For the reviewer to see.
        text: String,
        /// What to give back to have it kept.
        seen: String,
    },
    /// It was not done.
    Refused {
        /// A code of `docs/errors.md`.
        code: String,
        /// For the operator, who may know the inside: what went wrong.
        message: String,
    },
}

impl Answer {
    /// Not done.
    pub fn refused(code: Code, message: impl Into<String>) -> Self {
        Self::Refused { code: code.as_str().to_owned(), message: message.into() }
    }
}

/// Does the commands.
pub trait Handler: Send + Sync + 'static {
    /// Does one command and returns when it is done and durable.
    fn handle(&self, request: Request) -> impl Future<Output = Answer> + Send;
}

/// The socket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens: no process runs on this data folder.
    #[error("no process runs on this data folder")]
    NobodyThere,
    /// The system says no.
    #[error("{}: {cause}", .socket.display())]
    Io {
        /// Which socket.
        socket: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The other side does not speak as it should.
    #[error(
        "the running process does not speak this version's language: use the `chatward` it was started with"
    )]
    Language,
}

/// The listening end. The socket is removed when this is dropped.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    socket: PathBuf,
}

impl Control {
    /// Makes the socket. Call it only while the data folder's lock is held.
    pub fn bind(data: &Path) -> Result<Self, ControlError> {
        let socket = data.join(SOCKET);
        let failed = |cause| ControlError::Io { socket: socket.clone(), cause };
        match std::fs::remove_file(&socket) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        // Between bind and chmod the socket has the umask's rights; nobody is answered before `serve` is called.
        let listener = UnixListener::bind(&socket).map_err(failed)?;
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, socket })
    }

    /// Answers until it is dropped.
    pub async fn serve(self, handler: Arc<impl Handler>) {
        let places = Arc::new(tokio::sync::Semaphore::new(MOST));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let handler = Arc::clone(&handler);
                    tokio::spawn(async move {
                        // Whoever hung up does not want an answer.
                        let _ = talk(stream, &*handler).await;
                        drop(place);
                    });
                }
                // Out of file handles, most likely: wait for some to be given back.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // If it stays, the next start removes it.
        let _ = std::fs::remove_file(&self.socket);
    }
}

async fn talk(stream: UnixStream, handler: &impl Handler) -> io::Result<()> {
    let (from, mut to) = stream.into_split();
    let mut from = BufReader::new(from);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut from).take(LONGEST);
        let Ok(read) = tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await else {
            return Ok(());
        };
        let n = read?;
        if n == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n");
        let answer = match serde_json::from_slice(&line) {
            Ok(request) if whole => handler.handle(request).await,
            _ => Answer::refused(Code::ControlBad, "not a command of this version"),
        };
        let mut text = serde_json::to_vec(&answer).map_err(io::Error::other)?;
        text.push(b'\n');
        to.write_all(&text).await?;
        if !whole {
            return Ok(());
        }
    }
}

/// Sends one command to the running process and waits until it is done.
pub async fn ask(data: &Path, request: &Request) -> Result<Answer, ControlError> {
    let socket = data.join(SOCKET);
    let failed = |cause| ControlError::Io { socket: socket.clone(), cause };
    let stream = match UnixStream::connect(&socket).await {
        Ok(stream) => stream,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(ControlError::NobodyThere);
        }
        Err(e) => return Err(failed(e)),
    };
    let (from, mut to) = stream.into_split();
    let mut text = serde_json::to_vec(request).map_err(|_| ControlError::Language)?;
    text.push(b'\n');
    to.write_all(&text).await.map_err(failed)?;
    let mut line = Vec::new();
    BufReader::new(from.take(LONGEST_ANSWER)).read_until(b'\n', &mut line).await.map_err(failed)?;
    serde_json::from_slice(&line).map_err(|_| ControlError::Language)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl Handler for Echo {
        async fn handle(&self, request: Request) -> Answer {
            match request {
                Request::KeysRotate => Answer::Rotated { epoch: 2, keys: 7 },
                Request::CustomerErase { id } if id == "cust_1" => {
                    Answer::Erased { rows: 3, certificates: Vec::new() }
                }
                Request::CustomerErase { .. } => Answer::refused(Code::CustomerNotFound, "no such customer"),
                _ => Answer::refused(Code::Internal, "not in this test"),
            }
        }
    }

    #[tokio::test]
    async fn commands_are_done_and_answered() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(ask(dir.path(), &Request::Status).await, Err(ControlError::NobodyThere)));
        std::fs::write(dir.path().join(SOCKET), "left over").unwrap();
        let control = Control::bind(dir.path()).unwrap();
        let mode = std::fs::metadata(dir.path().join(SOCKET)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let serving = tokio::spawn(control.serve(Arc::new(Echo)));
        let rotated = ask(dir.path(), &Request::KeysRotate).await.unwrap();
        assert_eq!(rotated, Answer::Rotated { epoch: 2, keys: 7 });
        let erase = |id: &str| Request::CustomerErase { id: id.to_owned() };
        assert_eq!(
            ask(dir.path(), &erase("cust_1")).await.unwrap(),
            Answer::Erased { rows: 3, certificates: Vec::new() }
        );
        assert!(matches!(ask(dir.path(), &erase("x")).await.unwrap(), Answer::Refused { .. }));
        serving.abort();
        let _ = serving.await;
        assert!(!dir.path().join(SOCKET).exists());
    }

    #[tokio::test]
    async fn rubbish_and_endless_lines_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let serving = tokio::spawn(Control::bind(dir.path()).unwrap().serve(Arc::new(Echo)));
        for text in [
            b"{}\n".to_vec(),
            b"\xff\n".to_vec(),
            b"{\"command\":\"nothing\"}\n".to_vec(),
            vec![b'x'; 70_000],
        ] {
            let mut stream = UnixStream::connect(dir.path().join(SOCKET)).await.unwrap();
            let _ = stream.write_all(&text).await;
            let mut line = String::new();
            BufReader::new(&mut stream).read_line(&mut line).await.unwrap();
            assert!(line.contains("control-bad"), "{line}");
        }
        serving.abort();
    }

    #[test]
    fn requests_have_the_names_of_the_protocol() {
        let text = serde_json::to_string(&Request::CustomerErase { id: "cust_1".into() }).unwrap();
        assert_eq!(text, r#"{"command":"customer.erase","id":"cust_1"}"#);
    }
}
