//! The ways to receivers.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chatward_message::UnixMillis;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;

use super::form::{self, Form};
use super::record::Report;
use crate::config::{Address, Mail, Secret, Way};
use crate::upstream::{SetupError, verified, vouched};
use crate::webhook::{self, Webhook, WebhookError};

/// How long a receiver has for one try.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// Reports of one try.
const BATCH: usize = 50;
/// The longest datagram.
const DATAGRAM: usize = 8192;

/// Why a receiver was not told. Holds no content.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SinkError {
    /// The configuration's: the way cannot be made ready.
    #[error("cannot be set up: {0}")]
    Setup(Box<str>),
    /// The network's.
    #[error("cannot be reached: {0}")]
    Away(#[from] io::Error),
    /// The network's or the receiver's.
    #[error("cannot be reached: {0}")]
    Broken(Box<str>),
    /// The receiver's: it does not answer in time.
    #[error("does not take it within {} s", PATIENCE.as_secs())]
    Slow,
    /// The receiver's: it did not take it.
    #[error("answers with status {0}")]
    Refused(StatusCode),
    /// The receiver's.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
}

impl SinkError {
    /// Whether the receiver does not take what it was told, whoever tells it: to tell the same again does not help.
    pub(super) fn is_of_what_was_told(&self) -> bool {
        let (Self::Refused(status) | Self::Webhook(WebhookError::Refused(status))) = self else {
            return false;
        };
        matches!(
            *status,
            StatusCode::BAD_REQUEST
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
                | StatusCode::UNPROCESSABLE_ENTITY
        )
    }
}

impl Way {
    /// How many reports are told in one try. Webhooks take one at a time: what they took is not told again if the next fails.
    pub(super) const fn batch(&self) -> usize {
        match self {
            Self::Webhook { .. } => 1,
            _ => BATCH,
        }
    }
}

impl From<SetupError> for SinkError {
    fn from(error: SetupError) -> Self {
        Self::Setup(error.to_string().into())
    }
}

pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
/// Anything that bytes go through.
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Socket for T {}

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A way to a receiver, ready.
pub(crate) enum Sender {
    Syslog { address: Address, tls: Option<TlsConnector>, form: Form, open: Option<Box<dyn Socket>> },
    Datagrams { address: Address, form: Form },
    Http { url: Uri, authorization: Option<HeaderValue>, form: Option<Form>, client: Box<Http> },
    Webhook(Box<Webhook>),
    Mail { transport: Box<AsyncSmtpTransport<Tokio1Executor>>, mail: Mail },
}

impl Sender {
    /// The way that the configuration says.
    pub(crate) fn new(way: &Way) -> Result<Self, SinkError> {
        Ok(match way {
            Way::Syslog { address, tls, form } => {
                let tls = match tls {
                    Some(ca) => Some(TlsConnector::from(Arc::new(tls_of(ca.as_deref())?))),
                    None => None,
                };
                Self::Syslog { address: address.clone(), tls, form: *form, open: None }
            }
            Way::Datagrams { address, form } => Self::Datagrams { address: address.clone(), form: *form },
            Way::Http { url, authorization, form } => Self::http(url, authorization.as_ref(), Some(*form))?,
            Way::Otlp { url, authorization } => Self::http(url, authorization.as_ref(), None)?,
            Way::Webhook { url, secret } => {
                let key = webhook::secret(secret.expose()).ok_or_else(|| setup("the secret has no form"))?;
                Self::Webhook(Box::new(Webhook::new(url, &key)?))
            }
            Way::Mail(mail) => Self::Mail { transport: Box::new(transport(mail)?), mail: mail.clone() },
        })
    }

    fn http(url: &Uri, authorization: Option<&Secret>, form: Option<Form>) -> Result<Self, SinkError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(PATIENCE));
        let tls = verified(url.scheme_str() == Some("https"))?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let authorization = match authorization {
            Some(secret) => {
                let mut value = HeaderValue::from_str(secret.expose())
                    .map_err(|_| setup("the authorization is no value of a header"))?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let client = Client::builder(TokioExecutor::new()).build(connector.wrap_connector(tcp));
        Ok(Self::Http { url: url.clone(), authorization, form, client: Box::new(client) })
    }

    /// Tells it these reports; all of them were taken then. Some of them may have been if it fails.
    pub(crate) async fn tell(
        &mut self,
        reports: &[Report],
        host: &str,
        now: UnixMillis,
    ) -> Result<(), SinkError> {
        let told = tokio::time::timeout(PATIENCE, self.tell_patiently(reports, host, now)).await;
        let told = told.unwrap_or(Err(SinkError::Slow));
        if let (Err(_), Self::Syslog { open, .. }) = (&told, &mut *self) {
            *open = None;
        }
        told
    }

    async fn tell_patiently(
        &mut self,
        reports: &[Report],
        host: &str,
        now: UnixMillis,
    ) -> Result<(), SinkError> {
        match self {
            Self::Syslog { address, tls, form, open } => {
                let mut socket = match open.take() {
                    Some(socket) => socket,
                    None => connect(address, tls.as_ref()).await?,
                };
                let mut frames = Vec::new();
                for report in reports {
                    frames.extend_from_slice(&form::frame(&form::syslog(report, *form, host)));
                }
                write_watching(&mut socket, &frames).await?;
                *open = Some(socket);
                Ok(())
            }
            Self::Datagrams { address, form } => datagrams(address, *form, reports, host).await,
            Self::Http { url, authorization, form, client } => {
                let (media, body) = match form {
                    Some(form) => {
                        let lines: String =
                            reports.iter().flat_map(|report| [form.write(report), "\n".to_owned()]).collect();
                        (if *form == Form::Cef { form.media() } else { "application/x-ndjson" }, lines)
                    }
                    None => ("application/json", form::otlp(reports, host, now).to_string()),
                };
                post(client, url, authorization.as_ref(), media, body).await
            }
            Self::Webhook(webhook) => {
                for report in reports {
                    let body: Arc<str> = form::webhook(report).into();
                    webhook.tell(&format!("msg_{}", report.id), now, &body).await?;
                }
                Ok(())
            }
            Self::Mail { transport, mail } => {
                transport.send(message(mail, reports)?).await.map_err(|error| broken(&error))?;
                Ok(())
            }
        }
    }
}

fn setup(what: &str) -> SinkError {
    SinkError::Setup(what.into())
}

fn broken(error: &dyn std::error::Error) -> SinkError {
    SinkError::Broken(error.to_string().into())
}

/// Verification of a receiver, against these certificates or those of the platform.
fn tls_of(ca: Option<&Path>) -> Result<rustls::ClientConfig, SinkError> {
    let Some(ca) = ca else { return Ok(verified(true)?) };
    let roots: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(ca).map_err(|error| broken(&error))?.collect();
    Ok(vouched(roots.map_err(|error| broken(&error))?)?)
}

async fn connect(address: &Address, tls: Option<&TlsConnector>) -> Result<Box<dyn Socket>, SinkError> {
    let socket = TcpStream::connect((&*address.host, address.port)).await?;
    let Some(tls) = tls else { return Ok(Box::new(socket)) };
    let name = ServerName::try_from(address.host.to_string()).map_err(|error| broken(&error))?;
    Ok(Box::new(tls.connect(name, socket).await?))
}

/// Writes it all. A receiver that closed its end meanwhile is noticed where it can be: syslog has no answers.
async fn write_watching(socket: &mut Box<dyn Socket>, bytes: &[u8]) -> Result<(), SinkError> {
    let mut byte = [0; 1];
    // One look whether the end came; nothing else is ever sent here.
    tokio::select! {
        biased;
        read = socket.read(&mut byte) => {
            return Err(read.err().unwrap_or_else(|| io::ErrorKind::ConnectionReset.into()).into());
        }
        () = tokio::task::yield_now() => {}
    }
    socket.write_all(bytes).await?;
    Ok(socket.flush().await?)
}

async fn datagrams(address: &Address, form: Form, reports: &[Report], host: &str) -> Result<(), SinkError> {
    let to = tokio::net::lookup_host((&*address.host, address.port)).await?.next();
    let to = to.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).await?;
    socket.connect(to).await?;
    for report in reports {
        let message = form::syslog(report, form, host);
        let cut = message.floor_char_boundary(DATAGRAM);
        socket.send(message.get(..cut).unwrap_or_default().as_bytes()).await?;
    }
    Ok(())
}

async fn post(
    client: &Http,
    url: &Uri,
    authorization: Option<&HeaderValue>,
    media: &'static str,
    body: String,
) -> Result<(), SinkError> {
    let mut request = Request::post(url).header(header::CONTENT_TYPE, media);
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|error| broken(&error))?;
    let answer = client.request(request).await.map_err(|error| broken(&error))?;
    if answer.status().is_success() { Ok(()) } else { Err(SinkError::Refused(answer.status())) }
}

fn transport(mail: &Mail) -> Result<AsyncSmtpTransport<Tokio1Executor>, SinkError> {
    let host = mail.server.host.to_string();
    let mut parameters = TlsParameters::builder(host.clone());
    if let Some(ca) = &mail.ca {
        let pem = std::fs::read(ca)?;
        for root in Certificate::from_pem(&pem).into_iter() {
            parameters = parameters.add_root_certificate(root);
        }
    }
    let tls = if mail.plain {
        Tls::None
    } else {
        let parameters = parameters.build_rustls().map_err(|error| broken(&error))?;
        if mail.starttls { Tls::Required(parameters) } else { Tls::Wrapper(parameters) }
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(mail.server.port)
        .timeout(Some(PATIENCE))
        .tls(tls);
    if let Some((user, password)) = &mail.sign_in {
        builder = builder.credentials(Credentials::new(user.to_string(), password.expose().to_owned()));
    }
    Ok(builder.build())
}

/// One mail for all reports of a try: nobody reads fifty.
fn message(mail: &Mail, reports: &[Report]) -> Result<Message, SinkError> {
    let worst =
        reports.iter().max_by_key(|report| report.severity).ok_or_else(|| setup("nothing to tell"))?;
    let (mut subject, _) = form::mail(worst);
    if reports.len() > 1 {
        subject = format!("{subject} and {} more", reports.len() - 1);
    }
    let text = reports.iter().map(|report| form::mail(report).1).collect::<Vec<_>>().join("\n────\n\n");
    let mut builder =
        Message::builder().from(mail.from.parse().map_err(|_| setup("mail_from"))?).subject(subject);
    for to in &mail.to {
        builder = builder.to(to.parse().map_err(|_| setup("mail_to"))?);
    }
    builder.body(text).map_err(|error| broken(&error))
}
