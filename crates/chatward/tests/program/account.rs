//! Signing in and one's own account, over real sockets: what browsers send, and what they had better not.

mod customers;
mod limits;
mod staff;
mod strangers;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::harness::{Answer, Gateway, exchange, request, soon};
use super::phone::Phone;

const SESSION: &str = "__Host-chatward-session";
const STAFF_SESSION: &str = "__Host-chatward-staff";
const BEFORE: &str = "__Host-chatward-before";

/// A browser: it keeps cookies, says where its requests come from, and sends the form's token.
#[derive(Clone)]
pub(crate) struct Visitor {
    address: SocketAddr,
    origin: String,
    staff: bool,
    pub(crate) cookies: BTreeMap<String, String>,
    form: String,
}

impl Visitor {
    /// Of the customers' pages.
    pub(crate) fn customer(gateway: &Gateway) -> Self {
        Self::of(gateway.public, false)
    }

    /// Of the staff's pages.
    fn staff(gateway: &Gateway) -> Self {
        Self::of(gateway.private, true)
    }

    fn of(address: SocketAddr, staff: bool) -> Self {
        let origin = format!("http://localhost:{}", address.port());
        Self { address, origin, staff, cookies: BTreeMap::new(), form: String::new() }
    }

    pub(crate) fn phone(&self) -> Phone {
        Phone::at(&self.origin)
    }

    fn route(&self, path: &str) -> String {
        format!("{}/{path}", if self.staff { "/admin/v1" } else { "/me/v1" })
    }

    fn page(&self, path: &str) -> String {
        format!("{}/{path}", if self.staff { "/staff" } else { "/account" })
    }

    /// One request with exactly these headers, the cookies and the host.
    async fn raw(&self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (cookies, host) = (cookies.join("; "), self.origin.split_once("://").unwrap().1);
        let mut all = vec![("host", host)];
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        all.extend(headers);
        let request = request(method, path, &all, Bytes::from(body));
        let socket = TcpStream::connect(self.address).await.unwrap();
        soon("an answer", async { Answer::of(exchange(Box::new(socket), request).await).await }).await
    }

    /// As the pages' script sends it.
    async fn send(&mut self, method: Method, path: &str, body: &Value) -> Answer {
        let (origin, form) = (self.origin.clone(), self.form.clone());
        let mut headers = vec![
            ("origin", &*origin),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/json"),
        ];
        if !form.is_empty() {
            headers.push(("chatward-form", &form));
        }
        let answer = self.raw(method, &self.route(path), &headers, body.to_string()).await;
        self.take(&answer);
        answer
    }

    pub(crate) async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &body).await
    }

    async fn delete(&mut self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &json!({})).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.raw(Method::GET, &self.route(path), &[], String::new()).await
    }

    /// A page.
    async fn look(&mut self, page: &str) -> Answer {
        let answer = self.raw(Method::GET, &self.page(page), &[], String::new()).await;
        self.take(&answer);
        answer
    }

    /// A page at this address.
    pub(crate) async fn open(&mut self, path: &str) -> Answer {
        let answer = self.raw(Method::GET, path, &[], String::new()).await;
        self.take(&answer);
        answer
    }

    /// A form that is sent to this address, as a browser without JavaScript sends it.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        if !self.form.is_empty() {
            body.append_pair("form", &self.form);
        }
        let origin = self.origin.clone();
        let headers = [("origin", &*origin), ("content-type", "application/x-www-form-urlencoded")];
        let answer = self.raw(Method::POST, path, &headers, body.finish()).await;
        self.take(&answer);
        answer
    }

    /// A message in the chat of this browser; the turn.
    pub(crate) async fn chats(&mut self, text: &str) -> Answer {
        if !self.cookies.contains_key("chatward") {
            self.open("/chat").await;
        }
        let origin = self.origin.clone();
        let headers = [("origin", &*origin), ("content-type", "application/json")];
        let answer =
            self.raw(Method::POST, "/chat/v1/messages", &headers, json!({ "text": text }).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }

    /// A form of a page, as a browser without JavaScript sends it.
    async fn form(&mut self, page: &str, fields: &[(&str, &str)]) -> Answer {
        let path = self.page(page);
        self.submit(&path, fields).await
    }

    /// Keeps what an answer sets: cookies, and the token of the forms.
    fn take(&mut self, answer: &Answer) {
        for set in answer.headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (name, rest) = set.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let text = answer.text();
        let of_page = text.split("name=\"form\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let of_json = serde_json::from_slice::<Value>(&answer.body).ok();
        let of_json = of_json.and_then(|json| json["form"].as_str().map(str::to_owned));
        if let Some(form) = of_json.or(of_page.map(str::to_owned)) {
            self.form = form;
        }
    }

    pub(crate) async fn sign_up(&mut self, name: &str) {
        let answer = self.post("account", json!({ "name": name })).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Sets up a passkey on this phone.
    pub(crate) async fn add_passkey(&mut self, phone: &mut Phone) -> Answer {
        let begun = self.post("passkeys/begin", json!({})).await;
        assert_eq!(begun.status, 200, "{}", begun.text());
        let begun = begun.json();
        let answer = phone.register_json(&begun["options"]);
        self.post("passkeys", json!({ "state": begun["state"], "answer": answer, "label": "phone" })).await
    }

    /// A challenge to sign in, answered by this phone.
    async fn answered(&mut self, phone: &mut Phone) -> Value {
        let begun = self.post("sign-in/passkey/begin", json!({})).await;
        assert_eq!(begun.status, 200, "{}", begun.text());
        let begun = begun.json();
        json!({ "state": begun["state"], "answer": phone.show_json(&begun["options"]) })
    }

    pub(crate) async fn sign_in(&mut self, phone: &mut Phone) -> Answer {
        let answered = self.answered(phone).await;
        self.form.clear();
        self.post("sign-in/passkey", answered).await
    }

    pub(crate) async fn step_up(&mut self, phone: &mut Phone) -> Answer {
        let begun = self.post("step-up/passkey/begin", json!({})).await.json();
        let answer = phone.show_json(&begun["options"]);
        self.post("step-up/passkey", json!({ "state": begun["state"], "answer": answer })).await
    }

    /// Sets up an authenticator app: it gives its codes.
    async fn add_app(&mut self) -> totp_rs::Totp {
        let begun = self.post("app/begin", json!({})).await;
        assert_eq!(begun.status, 200, "{}", begun.text());
        let app = totp_rs::Totp::from_url(begun.json()["uri"].as_str().unwrap()).unwrap();
        let done = self.post("app", json!({ "code": code(&app, 0) })).await;
        assert_eq!(done.status, 200, "{}", done.text());
        app
    }

    async fn make_codes(&mut self) -> Vec<String> {
        let made = self.post("recovery-codes", json!({})).await;
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["codes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|code| code.as_str().unwrap().to_owned())
            .collect()
    }

    /// Whether the session counts.
    async fn is_signed_in(&mut self) -> bool {
        self.get("session").await.status == 200
    }
}

/// The code of so many steps from now. Steps that were used do not count again, so tests take the next one.
fn code(app: &totp_rs::Totp, steps: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    app.generate(now + 30 * steps).to_string()
}

/// A problem's status, code and reason.
fn refused(answer: &Answer) -> (u16, String, String) {
    let json = answer.json();
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    (answer.status, text("code"), text("reason"))
}

fn three(status: u16, code: &str, reason: &str) -> (u16, String, String) {
    (status, code.to_owned(), reason.to_owned())
}
