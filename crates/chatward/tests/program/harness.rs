//! What every test needs: a home with folders of its own, the running program, a client, and the bot.

mod bot;
#[path = "../../../store/tests/store/server.rs"]
#[allow(dead_code, reason = "the tests of the store use the rest")]
mod server;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub(crate) use bot::{Act, Bot, Play};
pub(crate) use server::{Database, psql, server};

/// The longest any wait may take before a test fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for what must come.
pub(crate) async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Asks again until it is so. For states that nobody announces (a file that a publisher writes).
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    soon(what, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// A temporary folder with a data folder, a keys folder and a configuration file; with databases of its own if the tests
/// run on a server (`CHATWARD_TEST_POSTGRES`).
#[derive(Clone)]
pub(crate) struct Home {
    folder: Arc<tempfile::TempDir>,
    /// Name of the data folder: two processes on one database have one each.
    data: &'static str,
    on_server: bool,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = Arc::new(tempfile::Builder::new().prefix("chatward-test-").tempdir().unwrap());
        Self { folder, data: "data", on_server: server().is_some() }
    }

    /// The same databases, keys and configuration, for a second process: with a data folder of its own.
    pub(crate) fn beside(&self) -> Self {
        Self { data: "data-beside", ..self.clone() }
    }

    /// The same folders, with the embedded store in them.
    pub(crate) fn embedded(&self) -> Self {
        Self { on_server: false, ..self.clone() }
    }

    /// The part of the configuration that names the databases, for a house inside of the test's own process.
    pub(crate) fn databases(&self) -> String {
        if !self.on_server {
            return String::new();
        }
        let part = |name: &str, Database { serving, owner, .. }: Database| {
            format!("[{name}]\nurl = \"{serving}\"\nowner_url = \"{owner}\"\n")
        };
        part("store", self.store()) + &part("keyring", self.keyring())
    }

    /// Where the rows are.
    pub(crate) fn store(&self) -> Database {
        Database::of(self.folder.path(), "store")
    }

    /// Where the keys are.
    pub(crate) fn keyring(&self) -> Database {
        Database::of(self.folder.path(), "keys")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path(self.data)
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.path("keys")
    }

    /// Writes the configuration file.
    pub(crate) fn configure(&self, text: &str) {
        std::fs::write(self.path("chatward.toml"), text).unwrap();
    }

    /// The program with these arguments and this home's configuration, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chatward"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHATWARD")) {
            command.env_remove(name);
        }
        if self.on_server {
            for (section, database) in [("STORE", self.store()), ("KEYRING", self.keyring())] {
                command.env(format!("CHATWARD__{section}__URL"), database.serving);
                command.env(format!("CHATWARD__{section}__OWNER_URL"), database.owner);
            }
        }
        if self.path("chatward.toml").exists() {
            command.env("CHATWARD_CONFIG", self.path("chatward.toml"));
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Done {
        let mut command = self.command(args);
        let ran = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = soon("a command to end", ran).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Done {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// `config check` of this configuration says what is wrong and where.
    #[cfg(feature = "onnx")]
    pub(crate) async fn finds_fault(&self, text: &str, (code, path, what): (i32, &str, &str)) {
        self.configure(text);
        let checked = self.run(&["config", "check"]).await;
        let said = checked.out + &checked.err;
        assert!(
            checked.code == code && said.contains(path) && said.contains(what),
            "{} {said}",
            checked.code
        );
    }

    /// Runs `serve`, which must end by itself within its time.
    pub(crate) async fn fails_to_start(&self, more: &[&str]) -> Done {
        let child = self.spawn(more);
        let ended = tokio::task::spawn_blocking(move || {
            let mut child = child;
            let started = std::time::Instant::now();
            loop {
                if let Some(status) = child.try_wait().unwrap() {
                    let (mut out, mut err) = (String::new(), String::new());
                    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
                    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                    return Done { code: status.code().unwrap_or(-1), out, err };
                }
                if started.elapsed() > PATIENCE {
                    let _ = child.kill();
                    panic!("it started");
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        ended.await.unwrap()
    }

    fn spawn(&self, more: &[&str]) -> Child {
        let mut args = vec!["serve"];
        if !more.contains(&"--listen") {
            args.extend(["--listen", "127.0.0.1:0"]);
        }
        args.extend(["--private", "127.0.0.1:0"]);
        let (data, keys) = (self.data(), self.keys());
        if !more.contains(&"--data") {
            args.extend(["--data", data.to_str().unwrap()]);
        }
        if !more.contains(&"--keys") {
            args.extend(["--keys", keys.to_str().unwrap()]);
        }
        args.extend(more);
        self.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts the program in front of a bot, on ports of its own choice, and waits until it answers.
    pub(crate) async fn serve(&self, bot: &Bot) -> Gateway {
        self.start(&["--upstream", &bot.url()]).await
    }

    /// Starts the program with these flags and waits until it answers.
    pub(crate) async fn start(&self, more: &[&str]) -> Gateway {
        let mut child = self.spawn(more);
        let printed = Arc::new(Mutex::new(String::new()));
        let (tell, mut hear) = tokio::sync::mpsc::unbounded_channel();
        let mut readers = Vec::new();
        for (out, is_error) in [
            (Box::new(child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>, false),
            (Box::new(child.stderr.take().unwrap()), true),
        ] {
            let (printed, tell) = (Arc::clone(&printed), tell.clone());
            readers.push(std::thread::spawn(move || {
                for line in BufReader::new(out).split(b'\n') {
                    let Ok(line) = line else { return };
                    let line = String::from_utf8_lossy(&line).into_owned();
                    printed.lock().unwrap().push_str(&(line.clone() + "\n"));
                    if !is_error {
                        let _ = tell.send(line);
                    }
                }
            }));
        }
        drop(tell);
        let mut said = Vec::new();
        let (mut public, mut private) = (None, None);
        while private.is_none() {
            let Some(line) = soon("the program to start", hear.recv()).await else {
                let status = child.wait();
                for reader in readers {
                    let _ = reader.join();
                }
                panic!("it did not start: {status:?}\n{}", printed.lock().unwrap());
            };
            public = public.or_else(|| line.strip_prefix("API:").map(address_in));
            private = line.strip_prefix("Private:").map(address_in);
            said.push(line);
        }
        let gateway = Gateway {
            home: self.clone(),
            child: Mutex::new(child),
            readers: Mutex::new(readers),
            public: public.unwrap(),
            private: private.unwrap(),
            printed,
            said,
            trust: None,
        };
        // The answer also means that the control socket is there.
        assert_eq!(gateway.admin("/livez").await.status, 200);
        gateway
    }
}

fn address_in(line: &str) -> SocketAddr {
    let rest = line.split("://").nth(1).unwrap();
    rest.split(['/', ' ']).next().unwrap().parse().unwrap()
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The running program.
pub(crate) struct Gateway {
    pub(crate) home: Home,
    child: Mutex<Child>,
    readers: Mutex<Vec<std::thread::JoinHandle<()>>>,
    pub(crate) public: SocketAddr,
    pub(crate) private: SocketAddr,
    printed: Arc<Mutex<String>>,
    /// The lines it printed at its start.
    pub(crate) said: Vec<String>,
    /// With TLS: how to shake hands.
    pub(crate) trust: Option<Arc<rustls::ClientConfig>>,
}

impl Gateway {
    /// Everything it has printed and logged so far.
    pub(crate) fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.lock().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// The most memory it has held so far, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let id = self.child.lock().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// `kill -9`: it is gone when this returns.
    pub(crate) async fn kill(&self) {
        self.child.lock().unwrap().kill().unwrap();
        self.gone().await;
    }

    /// Asks it to stop and waits until it has. Its exit code.
    pub(crate) async fn stop(&self) -> i32 {
        self.signal("TERM");
        self.gone().await
    }

    async fn gone(&self) -> i32 {
        let mut code = None;
        until("the program to end", async || {
            let status = self.child.lock().unwrap().try_wait().unwrap();
            code = status.map(|status| status.code().or(status.signal().map(|n| -n)).unwrap_or(-1));
            code.is_some()
        })
        .await;
        for reader in self.readers.lock().unwrap().drain(..) {
            let _ = reader.join();
        }
        code.unwrap()
    }

    /// A connection to the public listener.
    async fn connect(&self) -> Box<dyn Socket> {
        let socket = TcpStream::connect(self.public).await.unwrap();
        match &self.trust {
            None => Box::new(socket),
            Some(trust) => {
                let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
                let connector = tokio_rustls::TlsConnector::from(Arc::clone(trust));
                Box::new(connector.connect(name, socket).await.unwrap())
            }
        }
    }

    /// One request to the public listener; the whole answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let request = request(method, path, headers, body.into());
        soon("an answer", async { Answer::of(exchange(self.connect().await, request).await).await }).await
    }

    /// One request to the public listener; the answer as it comes.
    pub(crate) async fn open(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Flow {
        let body = Bytes::from(body.to_string());
        let request = request(Method::POST, path, headers, body);
        Flow { response: soon("a head", exchange(self.connect().await, request)).await, seen: Vec::new() }
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, Bytes::new()).await
    }

    /// A chat-completions request under this bearer key.
    pub(crate) async fn chat(&self, key: &str, more: &[(&str, &str)], body: &Value) -> Answer {
        let bearer = format!("Bearer {key}");
        let mut headers = vec![("authorization", &*bearer), ("content-type", "application/json")];
        headers.extend(more);
        self.send(Method::POST, "/v1/chat/completions", &headers, body.to_string()).await
    }

    /// The same while the program may die: nothing if the connection broke before the end of the answer.
    pub(crate) async fn try_chat(&self, key: &str, more: &[(&str, &str)], body: &Value) -> Option<Answer> {
        let bearer = format!("Bearer {key}");
        let mut headers = vec![("authorization", &*bearer)];
        headers.extend(more);
        let body = Bytes::from(body.to_string());
        let request = request(Method::POST, "/v1/chat/completions", &headers, body);
        let socket = TokioIo::new(TcpStream::connect(self.public).await.ok()?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(socket).await.ok()?;
        tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// What the bot received in this turn, as its caller may see it.
    pub(crate) async fn received(&self, key: &str, turn: &str) -> Answer {
        let bearer = format!("Bearer {key}");
        self.get(&format!("/me/v1/turns/{turn}/received"), &[("authorization", &bearer)]).await
    }

    /// A look at the private listener, with the admin token.
    pub(crate) async fn admin(&self, path: &str) -> Answer {
        let token = std::fs::read_to_string(self.home.keys().join("admin.token")).unwrap();
        let bearer = format!("Bearer {}", token.trim());
        let request = request(Method::GET, path, &[("authorization", &bearer)], Bytes::new());
        let socket = TcpStream::connect(self.private).await.unwrap();
        soon("an answer", async { Answer::of(exchange(Box::new(socket), request).await).await }).await
    }

    /// One number of `/metrics`; 0 if it is not there.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.admin("/metrics").await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.parse().unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        if child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("the program printed:\n{}", self.printed.lock().unwrap());
        }
    }
}

pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

pub(crate) fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body)).unwrap()
}

/// One request on a connection of its own; dropping the answer closes the connection.
pub(crate) async fn exchange(socket: Box<dyn Socket>, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}

/// An answer that has come whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn of(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Self { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn turn(&self) -> String {
        self.header("chatward-turn").to_owned()
    }

    /// The text of the first choice, plain or streamed.
    pub(crate) fn content(&self) -> String {
        if self.header("content-type").starts_with("text/event-stream") {
            return events(&self.body).iter().map(delta).collect();
        }
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    }

    /// The code of an error, in either shape.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        let code = if body["error"].is_object() { &body["error"]["code"] } else { &body["code"] };
        code.as_str().unwrap_or_default().to_owned()
    }
}

/// The text that one event adds.
pub(crate) fn delta(event: &Value) -> String {
    event["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
}

/// The data of each event of a stream; `[DONE]` as a string.
pub(crate) fn events(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data)))
        .collect()
}

/// An answer on its way.
pub(crate) struct Flow {
    pub(crate) response: Response<Incoming>,
    pub(crate) seen: Vec<u8>,
}

impl Flow {
    /// Reads on until this text has come.
    pub(crate) async fn read_until(&mut self, text: &str) {
        soon(text, async {
            while memchr::memmem::find(&self.seen, text.as_bytes()).is_none() {
                let frame = self.response.body_mut().frame().await;
                let frame = frame.unwrap_or_else(|| {
                    panic!("ended without {text}: {}", String::from_utf8_lossy(&self.seen))
                });
                self.seen.extend_from_slice(&frame.unwrap().into_data().unwrap_or_default());
            }
        })
        .await;
    }

    pub(crate) fn turn(&self) -> String {
        self.response.headers()["chatward-turn"].to_str().unwrap().to_owned()
    }
}

/// A request with one message of the customer.
pub(crate) fn ask(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

/// The same as a stream.
pub(crate) fn ask_stream(model: &str, text: &str) -> Value {
    json!({"model": model, "stream": true, "messages": [{"role": "user", "content": text}]})
}

/// The events of the audit log, read from its entry bundles (C2SP tlog-tiles). A running program replaces the newest
/// bundle by a wider one; whoever looks in just that moment sees fewer events.
pub(crate) fn log_events(data: &Path) -> Vec<Value> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder)
            .map(|found| found.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default()
    };
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut bundles: BTreeMap<String, (usize, PathBuf)> = BTreeMap::new();
    for entry in list(&data.join("log/tile/entries")) {
        match name(&entry).strip_suffix(".p") {
            None => drop(bundles.insert(name(&entry), (256, entry))),
            Some(number) => {
                for part in list(&entry) {
                    let Ok(width) = name(&part).parse() else { continue };
                    let known = bundles.entry(number.to_owned()).or_insert((0, PathBuf::new()));
                    if known.0 < width {
                        *known = (width, part);
                    }
                }
            }
        }
    }
    let mut all = Vec::new();
    for (_, file) in bundles.into_values() {
        let bytes = std::fs::read(file).unwrap_or_default();
        let mut rest = &bytes[..];
        while let [a, b, tail @ ..] = rest {
            let (leaf, after) = tail.split_at(usize::from(u16::from_be_bytes([*a, *b])));
            all.push(serde_json::from_slice(leaf).unwrap());
            rest = after;
        }
    }
    all
}

/// The log's event of this action in this turn. Waits for it: the log follows within a second.
pub(crate) async fn log_says(gateway: &Gateway, turn: &str, action: &str) -> Value {
    let mut found = None;
    until(&format!("{action} of {turn}"), async || {
        let is_it = |event: &&Value| event["turn"] == turn && event["action"] == action;
        found = log_events(&gateway.home.data()).iter().find(is_it).cloned();
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

/// Copies a folder, less its sockets.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&file, target).unwrap();
    }
}

/// A new own key: the key, and its entry for the configuration.
pub(crate) async fn new_caller(home: &Home, name: &str, trusted: bool) -> (String, String) {
    let done = home.run(&["callers", "new", name]).await;
    assert_eq!(done.code, 0, "{}", done.err);
    let key = done.out.lines().next().unwrap().split(' ').next_back().unwrap().to_owned();
    (key, done.out.replace("trusted = false", &format!("trusted = {trusted}")))
}
