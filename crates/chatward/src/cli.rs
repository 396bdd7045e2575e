//! The command line.
//!
//! Each command is parsed here and done in its own module. Output goes to standard output, everything else to standard
//! error. A closed pipe (`chatward scan … | head`) is not a failure.

mod alerts;
mod backup;
mod chat;
mod commands;
mod feedback;
mod intel;
mod numbers;
mod policy;
pub(crate) mod recovery;
mod rights;
mod rules;
mod staff;
mod stores;

pub use rights::{CertificateCommand, CustomerCommand, RetentionCommand};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use chatward_policy::access::{Role, Scope};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::backup::{BackupArgs, RestoreArgs};
pub use self::chat::ChatArgs;
pub(crate) use self::commands::{Ready, environment, load, load_without_model, say, say_error};
pub use self::feedback::FeedbackCommand;
pub use self::intel::{IntelCommand, OwnArgs};
use self::numbers::day;
pub use self::numbers::{ExportCommand, RecordsArgs, StatisticsArgs};
pub use self::recovery::{DoctorArgs, KitArgs, RecoverArgs, ResealArgs};
pub(crate) use self::rules::scan_detector;

/// The program's exit codes. They are public: scripts depend on them.
pub mod exit {
    /// All went well.
    pub const OK: u8 = 0;
    /// Something was found (`scan --fail-on-findings`, `policy try`), or a check failed (`rules check`, `config check`,
    /// `policy check`, `policy test`, `log verify`, `restore`, `keys recover`, `doctor`, `train`), or a message was not taken (`chat`).
    pub const FOUND: u8 = 1;
    /// The command line was not understood.
    pub const USAGE: u8 = 2;
    /// A file, a folder or the network could not be used.
    pub const IO: u8 = 3;
    /// Refused because it would be unsafe: a public address without TLS, a key file that others can read.
    pub const REFUSED: u8 = 4;
    /// Another process holds the data folder, or the running one did not do what it was told.
    pub const BUSY: u8 = 5;
    /// A fault of Chatward's own.
    pub const INTERNAL: u8 = 70;

    /// The codes and what they mean, for `--help`.
    pub const HELP: &str = "\
Exit codes:
  0   all went well
  1   something was found (scan --fail-on-findings, policy try), or a check failed (rules check, config check,
      policy check, policy test, log verify, restore, keys recover, doctor, train), or a message was not taken (chat)
  2   the command line was not understood
  3   a file, a folder or the network could not be used
  4   refused because it would be unsafe
  5   another process holds the data folder, or the running one did not do it
  70  a fault of Chatward's own";
}

/// A security and privacy gateway for chatbots.
///
/// Without a command: serves the built-in support bot with a page to try it.
#[derive(Debug, Parser)]
#[command(name = "chatward", version, after_help = exit::HELP, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; `serve` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of `serve`.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Stand between customers and a bot (or the built-in demonstration bot)
    #[command(after_help = exit::HELP)]
    Serve(ServeArgs),
    /// Talk with a bot through the encrypted channel of a gateway: one message a line
    #[command(after_help = exit::HELP)]
    Chat(ChatArgs),
    /// Find personal and payment data in files
    #[command(after_help = exit::HELP)]
    Scan(ScanArgs),
    /// Copy files with personal and payment data replaced
    #[command(after_help = exit::HELP)]
    Redact(ScanArgs),
    /// Say of texts and addresses in files how likely they are attacks, phishing or fraud
    #[command(after_help = exit::HELP)]
    Classify(ClassifyArgs),
    /// Work on recognisers
    Rules {
        /// What to do.
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Look at the configuration
    Config {
        /// What to do.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Who may look at stored data
    Policy {
        /// What to do.
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Keys of the vault
    Keys {
        /// What to do.
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// One customer's data
    Customer {
        /// What to do.
        #[command(subcommand)]
        command: CustomerCommand,
    },
    /// What goes because it was kept long enough
    Retention {
        /// What to do.
        #[command(subcommand)]
        command: RetentionCommand,
    },
    /// Proofs of erasures
    Certificate {
        /// What to do.
        #[command(subcommand)]
        command: CertificateCommand,
    },
    /// Accounts of staff: for the first administrator, and for when the last one lost everything
    Staff {
        /// What to do.
        #[command(subcommand)]
        command: StaffCommand,
    },
    /// Accounts of programs that use the staff's routes
    Programs {
        /// What to do.
        #[command(subcommand)]
        command: ProgramsCommand,
    },
    /// API keys for the programs that call this gateway
    Callers {
        /// What to do.
        #[command(subcommand)]
        command: CallersCommand,
    },
    /// Receivers of alerts
    Alerts {
        /// What to do.
        #[command(subcommand)]
        command: AlertsCommand,
    },
    /// The audit log
    Log {
        /// What to do.
        #[command(subcommand)]
        command: LogCommand,
    },
    /// Where the data is kept
    Store {
        /// What to do.
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Copy the data, or the keyring, to another place, also while the gateway serves; interrupted, it goes on where it was
    #[command(after_help = exit::HELP)]
    Backup(BackupArgs),
    /// Make a data folder, or a keys folder, from a backup
    #[command(after_help = exit::HELP)]
    Restore(RestoreArgs),
    /// Look whether everything is as it should be
    #[command(after_help = exit::HELP)]
    Doctor(DoctorArgs),
    /// Count over all customers by week, with noise: differentially private, within a budget
    #[command(after_help = exit::HELP)]
    Statistics(StatisticsArgs),
    /// Take out a table in which nobody is named
    Export {
        /// What to do.
        #[command(subcommand)]
        command: ExportCommand,
    },
    /// Threat intelligence: feeds, and the house's own indicators
    Intel {
        /// What to do.
        #[command(subcommand)]
        command: IntelCommand,
    },
    /// Review what customers and analysts flagged, and make cases of it
    Feedback {
        /// What to do.
        #[command(subcommand)]
        command: FeedbackCommand,
    },
    /// Make models of attacks of the house's own: the shipped ones, taught its confirmed cases
    #[command(after_help = exit::HELP)]
    Train(TrainArgs),
    /// Records of what is done with personal data, out of the running configuration and the log
    #[command(after_help = exit::HELP)]
    Records(RecordsArgs),
    /// Show how the running process is
    Status(DataArgs),
    /// For `cargo xtask`
    #[command(hide = true)]
    Internal {
        /// What to do.
        #[command(subcommand)]
        command: InternalCommand,
    },
}

/// Flags of `serve`. They win over the environment, and that over the file.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// Data folder, made if missing [default: chatward-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Keys folder, made if missing; never inside the data folder [default: beside the data folder]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// Public address [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Private address, loopback only [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR")]
    pub private: Option<SocketAddr>,
    /// Base URL of an OpenAI-compatible bot (`https://api.example.com/v1`)
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "CHATWARD_CONFIG")]
    pub config: Option<PathBuf>,
    /// Serve a public address without TLS: everybody on the way can read what customers write
    #[arg(long)]
    pub unsafe_plain_http: bool,
}

/// Flags of `scan` and `redact`.
#[derive(Debug, Clone, Default, Args)]
pub struct ScanArgs {
    /// How the input is made [default: by the ending of each file, else text]
    #[arg(long, value_enum)]
    pub input_format: Option<InputFormat>,
    /// Where the findings (scan) or the copy (redact) go; a folder if the input is a folder [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How findings are shown [default: table on a terminal, else jsonl]
    #[arg(long, value_enum)]
    pub format: Option<OutputFormat>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
    /// Go on where an earlier run over the same folder stopped
    #[arg(long)]
    pub resume: bool,
    /// No progress bar, no summary
    #[arg(long, short)]
    pub quiet: bool,
    /// Say of each finding why it has its score and what it was chosen over (scan only)
    #[arg(long)]
    pub explain: bool,
    /// Exit with 1 if anything is found (scan only)
    #[arg(long)]
    pub fail_on_findings: bool,
    /// What separates the cells of a CSV file [default: a tab for `.tsv`, else a comma]
    #[arg(long, value_name = "CHAR")]
    pub delimiter: Option<char>,
    /// Configuration file: handling, rules, thresholds
    #[arg(long, value_name = "FILE", env = "CHATWARD_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of further recognisers
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// Files and folders; `-` or nothing is standard input
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// `chatward classify`
#[derive(Debug, Args)]
pub struct ClassifyArgs {
    /// How the input is made
    #[arg(long, value_enum, default_value = "jsonl")]
    pub input_format: ClassifyFormat,
    /// Where the verdicts go [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Add where and in which form of the text, and the words that said most
    #[arg(long)]
    pub explain: bool,
    /// Which models.
    #[command(flatten)]
    pub own: OwnModelsArgs,
    /// Files; `-` or nothing is standard input
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// Where cases and models of the house's own are.
#[derive(Debug, Clone, Default, Args)]
pub struct OwnModelsArgs {
    /// Data folder with cases and models of the house's own [default: chatward-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Configuration file, where the folders may be named
    #[arg(long, value_name = "FILE", env = "CHATWARD_CONFIG")]
    pub config: Option<PathBuf>,
}

impl OwnModelsArgs {
    /// The configuration, and the data folder it names.
    pub(crate) fn loaded(&self) -> anyhow::Result<(crate::config::Loaded, PathBuf)> {
        let flags = crate::config::Flags { data: self.data.clone(), ..crate::config::Flags::default() };
        let loaded = crate::config::Loaded::read(self.config.as_deref(), &environment(), &flags)?;
        let (data, _) = loaded.folders()?;
        Ok((loaded, data))
    }
}

/// `train`
#[derive(Debug, Clone, Default, Args)]
pub struct TrainArgs {
    /// Say what would come of it, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where.
    #[command(flatten)]
    pub own: OwnModelsArgs,
}

/// How the input of `classify` is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClassifyFormat {
    /// One JSON object a line: `{"id","text"[,"channel"]}` or `{"id","url"}`.
    Jsonl,
}

/// How input is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// Plain text.
    Text,
    /// One JSON object a line: `{"id","text"[,"lang"][,"previous"]}`.
    Jsonl,
    /// Comma-separated values with a header line.
    Csv,
}

/// How findings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    Table,
    /// One JSON object a line.
    Jsonl,
}

/// `rules …`
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Check recognisers: ids, patterns, examples and near misses; and whether attacks are told as in the house's cases
    #[command(after_help = exit::HELP)]
    Check {
        /// Folder of recognisers [default: the built-in ones]
        dir: Option<PathBuf>,
        /// Measure what each costs on hostile texts (always done for a folder)
        #[arg(long)]
        timing: bool,
        /// Whose cases.
        #[command(flatten)]
        own: OwnModelsArgs,
    },
    /// Say what is found in a text and why, and what was not reported
    #[command(after_help = exit::HELP)]
    Explain {
        /// The text
        text: String,
        /// What the other side said just before
        #[arg(long, value_name = "TEXT")]
        previous: Option<String>,
        /// The language of the text (`de`)
        #[arg(long, value_name = "TAG")]
        lang: Option<String>,
        /// Configuration file: rules, thresholds, lists
        #[arg(long, value_name = "FILE", env = "CHATWARD_CONFIG")]
        config: Option<PathBuf>,
        /// Folder of further recognisers
        #[arg(long, value_name = "DIR")]
        rules: Option<PathBuf>,
    },
}

/// `config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Name every fault of the configuration
    #[command(after_help = exit::HELP)]
    Check(ConfigArgs),
    /// Show every value and where it comes from; secrets hidden
    Explain(ConfigArgs),
    /// Print the JSON schema of chatward.toml
    Schema,
}

/// `alerts …`
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// Tell every receiver of the configuration a test, at once, and say what came of it
    #[command(after_help = exit::HELP)]
    Test(ConfigArgs),
}

/// `policy …`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Read, validate and look through policies
    #[command(after_help = exit::HELP)]
    Check {
        /// Folder of the house's policies [default: the one of the configuration, if any]
        dir: Option<PathBuf>,
        /// Configuration file
        #[arg(long, value_name = "FILE", env = "CHATWARD_CONFIG")]
        config: Option<PathBuf>,
    },
    /// Run the table tests of policies: DIR/tests/*.toml and *.json
    #[command(after_help = exit::HELP)]
    Test {
        /// Folder of the house's policies [default: the shipped policies and their tests]
        dir: Option<PathBuf>,
        /// Configuration file
        #[arg(long, value_name = "FILE", env = "CHATWARD_CONFIG")]
        config: Option<PathBuf>,
    },
    /// Ask recorded questions again, and show what would be decided otherwise
    #[command(after_help = exit::HELP)]
    Try {
        /// Recorded decisions, one JSON object a line
        #[arg(long, value_name = "FILE")]
        facts: PathBuf,
        /// Folder of policies to compare with those in force [default: compare those in force with what was decided]
        #[arg(long, value_name = "DIR")]
        policies: Option<PathBuf>,
        /// Configuration file
        #[arg(long, value_name = "FILE", env = "CHATWARD_CONFIG")]
        config: Option<PathBuf>,
    },
    /// List who could do what, and under which conditions
    #[command(after_help = exit::HELP)]
    Who {
        /// With data of this class [default: everything]
        #[arg(long, value_name = "CLASS")]
        class: Option<String>,
        /// Only this action
        #[arg(long, value_name = "ACTION")]
        action: Option<String>,
        /// Accounts and their roles, TOML or JSON [default: one account of each role]
        #[arg(long, value_name = "FILE")]
        staff: Option<PathBuf>,
        /// Folder of the house's policies [default: the one of the configuration, if any]
        #[arg(long, value_name = "DIR")]
        policies: Option<PathBuf>,
        /// Configuration file
        #[arg(long, value_name = "FILE", env = "CHATWARD_CONFIG")]
        config: Option<PathBuf>,
    },
}

/// Which configuration.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArgs {
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "CHATWARD_CONFIG")]
    pub config: Option<PathBuf>,
    /// The same, without the flag's name
    #[arg(value_name = "FILE", conflicts_with = "config")]
    pub file: Option<PathBuf>,
}

/// Which data folder.
#[derive(Debug, Clone, Default, Args)]
pub struct DataArgs {
    /// Data folder [default: chatward-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Keys folder [default: beside the data folder]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// Configuration file, where the folders may be named
    #[arg(long, value_name = "FILE", env = "CHATWARD_CONFIG")]
    pub config: Option<PathBuf>,
}

/// `keys …`
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Renew the epoch key and wrap every customer key anew
    #[command(after_help = exit::HELP)]
    Rotate(DataArgs),
    /// Go on with keys that are older than the data knows, because there are no newer ones any more
    #[command(after_help = exit::HELP)]
    AcceptOlder(DataArgs),
    /// Show the operator's key as groups of characters, for paper
    #[command(after_help = exit::HELP)]
    RecoveryKit(KitArgs),
    /// Write the operator's key anew from the recovery kit, which is read from standard input
    #[command(after_help = exit::HELP)]
    Recover(RecoverArgs),
    /// Put the operator's key under another seal, or under a new passphrase
    #[command(after_help = exit::HELP)]
    Reseal(ResealArgs),
}

/// `staff …`
#[derive(Debug, Subcommand)]
pub enum StaffCommand {
    /// Invite somebody; the invitation is shown once and counts for three days
    #[command(after_help = exit::HELP)]
    Invite {
        /// The name to sign in with
        #[arg(long)]
        name: String,
        /// analyst, privacy-officer, trainer, auditor or admin; may be given several times (an admin has no other role)
        #[arg(long, value_name = "ROLE", required = true, value_parser = role)]
        role: Vec<Role>,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Show every account of staff
    List(DataArgs),
    /// End an account's sessions, and let nothing sign in
    #[command(after_help = exit::HELP)]
    Lock(AccountArgs),
    /// Let a locked account sign in again
    #[command(after_help = exit::HELP)]
    Unlock(AccountArgs),
    /// The person leaves: what signs in is wiped; there is no way back
    #[command(after_help = exit::HELP)]
    Close(AccountArgs),
    /// Wipe what signs in, and invite the same person anew
    #[command(after_help = exit::HELP)]
    InviteAgain(AccountArgs),
}

/// Which account, and where.
#[derive(Debug, Clone, Args)]
pub struct AccountArgs {
    /// The account's id (`acct_…`)
    pub id: String,
    /// Where.
    #[command(flatten)]
    pub at: DataArgs,
}

/// `programs …`
#[derive(Debug, Subcommand)]
pub enum ProgramsCommand {
    /// Make an account for a program, without a key
    #[command(after_help = exit::HELP)]
    Make {
        /// What it is called
        #[arg(long)]
        name: String,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Show every program
    List(DataArgs),
    /// Make a key; it is shown once
    #[command(after_help = exit::HELP)]
    Key {
        /// The program's id (`svc_…`)
        id: String,
        /// list, audit-read, access-review, policy-read or analytics; may be given several times
        #[arg(long, value_name = "SCOPE", required = true, value_parser = scope)]
        scope: Vec<Scope>,
        /// How many days it lives, 366 at most
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=366))]
        days: u16,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Withdraw every key of a program
    #[command(after_help = exit::HELP)]
    Revoke {
        /// The program's id (`svc_…`)
        id: String,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
}

fn role(word: &str) -> Result<Role, String> {
    let words: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
    Role::named(word).ok_or_else(|| format!("take one of {}", words.join(", ")))
}

fn scope(word: &str) -> Result<Scope, String> {
    let words: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
    Scope::named(word).ok_or_else(|| format!("take one of {}", words.join(", ")))
}

/// `callers …`
#[derive(Debug, Subcommand)]
pub enum CallersCommand {
    /// Make an API key; it is shown once, the configuration only gets its hash
    New {
        /// The caller's name: 1 to 63 of a-z 0-9 -
        name: String,
    },
}

/// `log …`
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Verify the audit log, offline, from DIR/log alone
    #[command(after_help = exit::HELP)]
    Verify {
        /// Data folder.
        #[arg(long, value_name = "DIR", default_value = "chatward-data")]
        data: PathBuf,
        /// A checkpoint kept elsewhere; may be given several times
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
        /// The log's verifier key [default: the one in DIR/log]
        #[arg(long, value_name = "VKEY")]
        key: Option<String>,
    },
}

/// `store …`
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Move a data folder to PostgreSQL; the folder is only read, and what was stopped goes on where it was
    #[command(after_help = exit::HELP)]
    Copy(CopyArgs),
    /// Bring the tables to the version that this program needs, or to an older one
    #[command(after_help = exit::HELP)]
    Migrate {
        /// The version [default: the newest]
        #[arg(long, value_name = "VERSION")]
        to: Option<usize>,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
}

/// Flags of `store copy`. URLs on the command line hold no password: others can see them. Without them the databases of the
/// configuration are filled.
#[derive(Debug, Clone, Default, Args)]
pub struct CopyArgs {
    /// Data folder to copy
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Database for the data: `postgres://ROLE@HOST/DATABASE` [default: `store` of the configuration]
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// The owner of its tables [default: `store.owner_url` of the configuration]
    #[arg(long, value_name = "URL", requires = "to")]
    pub owner: Option<String>,
    /// Keys folder whose keyring is copied too [default: none with `--to`, else the one of the configuration]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// Database for the keyring [default: `keyring` of the configuration]
    #[arg(long, value_name = "URL", requires = "keys")]
    pub keyring_to: Option<String>,
    /// The owner of its tables [default: `keyring.owner_url` of the configuration]
    #[arg(long, value_name = "URL", requires = "keyring_to")]
    pub keyring_owner: Option<String>,
    /// No progress bar
    #[arg(long, short)]
    pub quiet: bool,
    /// Configuration file, where the databases may be named
    #[arg(long, value_name = "FILE", env = "CHATWARD_CONFIG")]
    pub config: Option<PathBuf>,
}

/// `internal …`
#[derive(Debug, Subcommand)]
pub enum InternalCommand {
    /// Write docs/errors.md, docs/config.schema.json, docs/access.md and docs/openapi.json
    GenerateDocs {
        /// The folder `docs`.
        dir: PathBuf,
    },
    /// The paths of all pages that customers see, one a line, with parameters as `{name}`
    Pages,
}

/// Runs the program.
pub fn main() -> ExitCode {
    crate::tls::install_default();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Asking for help is no failure. If even this cannot be printed there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::OK });
        }
    };
    let command = cli.command.unwrap_or(Command::Serve(cli.serve));
    commands::finish(commands::run(command))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_serves() {
        let cli = Cli::try_parse_from(["chatward", "--listen", "127.0.0.1:9"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.serve.listen, Some("127.0.0.1:9".parse().unwrap()));
    }

    #[test]
    fn the_names_that_others_rely_on_parse() {
        for line in [
            "chatward serve --data d --listen 127.0.0.1:1 --private 127.0.0.1:2 --upstream http://127.0.0.1:3/v1 --config c --keys k --unsafe-plain-http",
            "chatward scan --input-format jsonl --output o a b",
            "chatward redact --input-format csv --jobs 2 --resume --quiet x",
            "chatward rules check rules --timing",
            "chatward rules explain --previous p --lang de --rules r text",
            "chatward scan --explain x",
            "chatward config check --config x.toml",
            "chatward config explain x.toml",
            "chatward config schema",
            "chatward policy check policies",
            "chatward policy test policies --config x.toml",
            "chatward policy try --facts f.jsonl --policies d",
            "chatward policy who --class identity --action reveal --staff s.toml",
            "chatward keys rotate --data d",
            "chatward customer erase cust_1 --data d",
            "chatward staff invite --name Ada --role admin --data d",
            "chatward staff invite --name Bo --role analyst --role trainer",
            "chatward staff list --data d",
            "chatward staff lock acct_1",
            "chatward staff unlock acct_1",
            "chatward staff close acct_1 --data d --keys k",
            "chatward staff invite-again acct_1",
            "chatward programs make --name reports",
            "chatward programs list",
            "chatward programs key svc_1 --scope audit-read --scope list --days 30",
            "chatward programs revoke svc_1",
            "chatward callers new shop",
            "chatward log verify --data d --checkpoint a --checkpoint b",
            "chatward store copy --from d --to postgres://a@h/b --owner postgres://o@h/b --keys k --keyring-to postgres://a@h/c",
            "chatward store copy --from d --config c",
            "chatward store migrate --to 1 --data d",
            "chatward keys recovery-kit --yes --keys k",
            "chatward keys recover --keys k",
            "chatward keys reseal --to passphrase --new-passphrase-file f --data d",
            "chatward keys reseal --to aws-kms",
            "chatward doctor --recovery --data d",
            "chatward backup --to b --data d --keys k",
            "chatward backup --keyring --to b --quiet",
            "chatward restore --from b --data d",
            "chatward restore --keyring --from b --keys k",
            "chatward internal generate-docs docs",
            "chatward feedback list --all --data d",
            "chatward feedback show 0a --data d --keys k",
            "chatward feedback add --label scam --channel bot f",
            "chatward feedback confirm 0a --label harmless --channel customer --text f --note n --yes",
            "chatward feedback refuse 0a --note n",
            "chatward feedback status",
            "chatward feedback export --config c",
            "chatward train --dry-run --data d --config c",
            "chatward rules check --data d",
            "chatward classify --data d x",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }

    #[test]
    fn the_help_names_every_exit_code() {
        for code in [exit::OK, exit::FOUND, exit::USAGE, exit::IO, exit::REFUSED, exit::BUSY, exit::INTERNAL]
        {
            assert!(exit::HELP.lines().any(|l| l.trim_start().starts_with(&format!("{code} "))), "{code}");
        }
    }
}
