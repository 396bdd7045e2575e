//! A PostgreSQL server for the tests: Debian's, made in the cache folder, on a free port of this machine, gone at the end.
//!
//! The server refuses to run as root, so that it is run as the user `postgres` then. It is as durable as in earnest.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::{capture, command, exists, must, shown};
use crate::tools;

/// The variable by which tests learn of the server.
pub(crate) const SERVER: &str = "CHATWARD_TEST_POSTGRES";
/// How long the server may take to start.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// A running server. It ends with the value.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    url: String,
}

impl Server {
    /// Installs what is missing, makes a new cluster and starts it.
    pub(crate) fn start() -> Result<Self> {
        let programs = programs()?;
        // Not in the cache folder itself: the user `postgres` may have no way into it.
        let folder = std::env::temp_dir().join(format!("chatward-postgres-{}", std::process::id()));
        // Left by a run that was killed.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        if tools::is_root() {
            must(command("chown").arg("postgres:").arg(&folder))?;
        }
        let data = folder.join("data");
        let mut initdb = unprivileged(&programs.join("initdb"), &folder);
        initdb
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--username=postgres", "-D"])
            .arg(&data);
        capture(&mut initdb)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut postgres = unprivileged(&programs.join("postgres"), &folder);
        postgres.arg("-D").arg(&data).arg("-k").arg(&folder).args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
        ]);
        for setting in ["max_connections=400", "log_min_messages=error", "autovacuum_naptime=5s"] {
            postgres.args(["-c", setting]);
        }
        let log = std::fs::File::create(folder.join("log"))?;
        postgres.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = postgres.spawn().with_context(|| format!("cannot start {}", shown(&postgres)))?;
        let url = format!("postgres://postgres@127.0.0.1:{port}");
        let mut server = Self { child, folder, url };
        server.wait()?;
        // The owner of tables, and the role that serves: it owns nothing and is bound by row-level security.
        server.sql("CREATE ROLE chatward_owner LOGIN; CREATE ROLE chatward LOGIN NOBYPASSRLS NOSUPERUSER")?;
        Ok(server)
    }

    /// For `CHATWARD_TEST_POSTGRES`: a superuser, no database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn sql(&self, sql: &str) -> Result<String> {
        let database = format!("{}/postgres", self.url);
        capture(command("psql").args(["--no-psqlrc", "--quiet", &database, "--command", sql]))
    }

    fn wait(&mut self) -> Result<()> {
        let started = Instant::now();
        while self.sql("SELECT 1").is_err() {
            if let Some(status) = self.child.try_wait()? {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                bail!("the PostgreSQL server did not start ({status}):\n{log}");
            }
            if started.elapsed() > STARTS_WITHIN {
                bail!("the PostgreSQL server does not answer");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is its "fast" way: sessions are broken off, files are left in order. `setpriv` became the server itself.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-INT", &id]).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A program run as nobody special, in a folder that is its own.
fn unprivileged(program: &Path, folder: &Path) -> Command {
    let mut run = if tools::is_root() {
        let mut run = Command::new("setpriv");
        run.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
        run
    } else {
        Command::new(program)
    };
    run.current_dir(folder);
    run
}

/// Where Debian keeps the server's programs: the newest version that is there.
fn programs() -> Result<PathBuf> {
    let found = || {
        let all = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
        let newest =
            all.map(|entry| entry.path()).filter(|path| path.join("bin/initdb").exists()).max_by_key(version);
        newest.map(|path| path.join("bin"))
    };
    if found().is_none() || !exists("psql") {
        tools::system_package("", "postgresql")?;
    }
    found().context("`postgresql` was installed, but there is no server below /usr/lib/postgresql")
}

/// `cargo xtask postgres COMMAND …`: runs it with a server beside it.
pub(crate) fn run(command_line: &[String]) -> Result<()> {
    let [program, args @ ..] = command_line else { bail!("postgres COMMAND …") };
    let server = Server::start()?;
    eprintln!("{SERVER}={}", server.url());
    must(command(program).args(args).env(SERVER, server.url()))
}
