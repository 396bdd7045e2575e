//! Starting the product and the fake bot for tests, on free ports and in folders of their own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::http;
use crate::process::{Running, cache};

/// A running gateway and where everything of it lies.
pub(crate) struct Gateway {
    pub(crate) process: Running,
    pub(crate) public: u16,
    pub(crate) private: u16,
    pub(crate) folder: Scratch,
}

impl Gateway {
    /// Starts one over a fresh data folder: in front of `upstream`, or with the built-in bot.
    pub(crate) fn start(
        program: &Path,
        name: &str,
        upstream: Option<&str>,
        pin: Option<&str>,
    ) -> Result<Self> {
        let arguments: Vec<&str> = upstream.into_iter().flat_map(|url| ["--upstream", url]).collect();
        Self::start_with(program, name, &arguments, pin)
    }

    /// The same with any arguments of `serve`.
    pub(crate) fn start_with(
        program: &Path,
        name: &str,
        arguments: &[&str],
        pin: Option<&str>,
    ) -> Result<Self> {
        let folder = Scratch::new(name)?;
        let (public, private) = (free_port()?, free_port()?);
        let mut command = match pin {
            Some(core) => pinned(core, program),
            None => Command::new(program),
        };
        command.arg("serve").arg("--data").arg(folder.path().join("data"));
        command.arg("--keys").arg(folder.path().join("keys")).current_dir(folder.path());
        command.args([
            "--listen",
            &format!("127.0.0.1:{public}"),
            "--private",
            &format!("127.0.0.1:{private}"),
        ]);
        command.args(arguments);
        let process = Running::start(&mut command, &folder.path().join("log"))?;
        let mut gateway = Self { process, public, private, folder };
        gateway.wait()?;
        Ok(gateway)
    }

    /// Base URL of the public listener.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.public)
    }

    /// Base URL of the private listener.
    pub(crate) fn private_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.private)
    }

    /// The token of the first start.
    pub(crate) fn admin_token(&self) -> Result<String> {
        let token = std::fs::read_to_string(self.folder.path().join("keys/admin.token"));
        Ok(token.context("no admin token")?.trim().to_owned())
    }

    /// The cookie that the chat page gives a new browser.
    pub(crate) fn page_cookie(&self) -> Result<String> {
        let answer = http::get(self.public, "/chat", &[])?;
        let cookie = answer.header("set-cookie").and_then(|line| line.split(';').next().map(str::to_owned));
        cookie.context("the chat page sets no cookie")
    }

    /// The metrics, asked for with the admin token.
    pub(crate) fn metrics(&self) -> Result<String> {
        let bearer = format!("Bearer {}", self.admin_token()?);
        let answer = http::get(self.private, "/metrics", &[("authorization", &bearer)])?;
        if answer.status == 200 { Ok(answer.text()) } else { bail!("/metrics answers {}", answer.status) }
    }

    fn wait(&mut self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if let Some(status) = self.process.0.try_wait()? {
                bail!("the gateway ended ({status}): {}", self.said());
            }
            if http::get(self.private, "/readyz", &[]).is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the gateway was not ready in 30 s: {}", self.said())
    }

    /// What it wrote to its terminal.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// The fake bot of the shared tools.
pub(crate) struct Mock {
    pub(crate) process: Running,
    pub(crate) port: u16,
}

impl Mock {
    pub(crate) fn start(program: &Path, port: u16, arguments: &[&str], pin: Option<&str>) -> Result<Self> {
        let mut command = match pin {
            Some(core) => pinned(core, program),
            None => Command::new(program),
        };
        command.args(["--listen", &format!("127.0.0.1:{port}")]).args(arguments);
        let process = Running::start(&mut command, &cache().join(format!("mock-upstream-{port}.log")))?;
        wait_for(port, "the mock upstream")?;
        Ok(Self { process, port })
    }
}

/// Waits until somebody listens.
pub(crate) fn wait_for(port: u16, who: &str) -> Result<()> {
    for _ in 0..200 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("{who} does not listen on port {port}")
}

/// A command held to these cores.
pub(crate) fn pinned(cores: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", cores]).arg(program);
    command
}

/// A port nobody listens on now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no free port")?.local_addr()?.port())
}

/// A folder that is removed with the value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let path = cache().join("scratch").join(format!("{name}-{}", std::process::id()));
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies in the cache folder, where it does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
