//! AWS KMS as the tests have it: `moto` (Python), started beside a test and ended with it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// The variable with the Python that has `moto[kms,server]`; `cargo xtask test` sets it.
pub(crate) const PYTHON: &str = "CHATWARD_TEST_MOTO";

/// A running one.
pub(crate) struct Moto {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    /// Where it is (`url`, `region`), its keys (`house`, `other`; `alias/house` is the first) and the access keys (`right`,
    /// `reader`, `lent`: `id`, `secret`, `token`).
    pub(crate) facts: Value,
}

impl Moto {
    /// Starts it and waits until it is there.
    pub(crate) fn start() -> Self {
        let python = std::env::var_os(PYTHON)
            .unwrap_or_else(|| panic!("{PYTHON} must name a Python with moto[kms,server]"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seal-kms/tests/moto/server.py");
        let mut command = Command::new(python);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let to = child.stdin.take();
        let mut from = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        let facts = serde_json::from_str(&line).unwrap();
        Self { child, to, from, facts }
    }

    /// A fact by its path: `right/secret`.
    pub(crate) fn fact(&self, path: &str) -> &str {
        self.facts.pointer(&format!("/{path}")).and_then(Value::as_str).unwrap()
    }

    /// Has it do something with a key: `disable`, `enable`.
    pub(crate) fn tell(&mut self, what: &str, key: &str) {
        let arn = self.fact(key).to_owned();
        writeln!(self.to.as_ref().unwrap(), "{what} {arn}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.to.take());
        let _ = self.child.wait();
    }
}
