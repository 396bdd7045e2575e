//! The private listener: health, metrics, and the frame for admin routes.
//!
//! It is loopback only. Probes need no token and say nothing but what is missing; the numbers ask for the token of the first
//! start, or for none if the house wants it so; everything else has doors of its own ([`api`](crate::api)).

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, header};
use zeroize::Zeroizing;

use super::{Health, Live, Metrics};
use crate::caller::{bearer, random};
use crate::problem::{Code, Problem};

/// The private listener or its token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// The operator named an address that others can reach.
    #[error("{0} is not a loopback address: the private listener shows what only operators may see")]
    NotLoopback(SocketAddr),
    /// The token file cannot be read or made.
    #[error("{}: {cause}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The token file holds something else.
    #[error("{}: not an admin token: remove the file and a new one is made at the next start", .0.display())]
    NoToken(PathBuf),
    /// The system's random source failed.
    #[error(transparent)]
    NoRandom(#[from] crate::caller::NoRandom),
}

/// The token that opens the private listener: 256 random bits.
#[derive(Clone)]
pub struct AdminToken(Zeroizing<String>);

impl AdminToken {
    /// The file's name in the keys folder.
    pub const FILE: &'static str = "admin.token";

    /// Reads the token, or makes it at the first start (0600, never overwritten).
    pub fn open(keys: &Path) -> Result<Self, PrivateError> {
        let file = keys.join(Self::FILE);
        let failed = |cause| PrivateError::File { file: file.clone(), cause };
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                let text = Zeroizing::new(text);
                let token = text.trim();
                let fits = token.len() == 43
                    && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
                if fits {
                    Ok(Self(Zeroizing::new(token.to_owned())))
                } else {
                    Err(PrivateError::NoToken(file))
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(Zeroizing::new(random::<32>()?)));
                let mut made = create_private(&file).map_err(failed)?;
                writeln!(made, "{}", *token).and_then(|()| made.sync_all()).map_err(failed)?;
                Ok(Self(token))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Whether a request carries the token. The time it takes does not depend on how much of it is right.
    pub fn opens(&self, headers: &http::HeaderMap) -> bool {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let one = values.next().filter(|_| values.next().is_none()).and_then(bearer);
        one.is_some_and(|token| verify_slices_are_equal(token, self.0.as_bytes()).is_ok())
    }
}

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_hidden) = self;
        f.write_str("AdminToken(..)")
    }
}

/// Makes a new file that only its owner can read.
pub(crate) fn create_private(file: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

struct Shown<F> {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    live: F,
}

/// The private listener's routes. `own` are those with doors of their own, what is said to unknown addresses included; `live`
/// is asked for the numbers of the moment. Fails if `address` is not loopback.
pub fn private_router<F>(
    address: SocketAddr,
    token: AdminToken,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    metrics_without_token: bool,
    live: F,
    own: Router,
) -> Result<Router, PrivateError>
where
    F: Fn() -> Live + Send + Sync + 'static,
{
    if !address.ip().is_loopback() {
        return Err(PrivateError::NotLoopback(address));
    }
    let shown = Arc::new(Shown { health, metrics, live });
    let probes = Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(ready::<F>))
        .route("/healthz", get(ready::<F>));
    let numbers = Router::new().route("/metrics", get(numbers::<F>));
    let token = Arc::new(token);
    let open = if metrics_without_token {
        probes.merge(numbers)
    } else {
        let closed = numbers.layer(middleware::from_fn_with_state(token, guard));
        probes.merge(closed.layer(middleware::from_fn(of_this_machine)))
    };
    let own = own.layer(middleware::from_fn(of_this_machine));
    Ok(open.with_state(shown).merge(own))
}

/// A page of another site could make a browser ask: the host must be one of this machine's own names.
async fn of_this_machine(request: Request, next: Next) -> Response {
    if local_host(&request) {
        next.run(request).await
    } else {
        Problem::new(Code::OriginNotAllowed).into_response()
    }
}

async fn guard(State(token): State<Arc<AdminToken>>, request: Request, next: Next) -> Response {
    if token.opens(request.headers()) {
        next.run(request).await
    } else {
        Problem::new(Code::MissingToken).into_response()
    }
}

fn local_host(request: &Request) -> bool {
    let Some(host) = request.headers().get(header::HOST) else { return true };
    let Ok(authority) = host.to_str().unwrap_or_default().parse::<http::uri::Authority>() else {
        return false;
    };
    let host = authority.host();
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

async fn ready<F>(State(shown): State<Arc<Shown<F>>>) -> Response {
    let missing = shown.health.missing();
    if missing.is_empty() {
        let degraded = shown.health.degraded();
        if degraded.is_empty() {
            return "ready\n".into_response();
        }
        return format!("ready\ndegraded: {}\n", degraded.join(", ")).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("missing: {}\n", missing.join(", "))).into_response()
}

async fn numbers<F: Fn() -> Live>(State(shown): State<Arc<Shown<F>>>) -> Response {
    let text = shown.metrics.render((shown.live)());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::super::Need;
    use super::*;
    use axum::body::Body;

    /// Asks the router once.
    async fn ask(router: &Router, path: &str, token: Option<&str>, host: &str) -> u16 {
        let mut request = Request::builder().uri(path).header(header::HOST, host);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        let request = request.body(Body::empty()).unwrap();
        hyper::service::Service::call(&service, request).await.unwrap().status().as_u16()
    }

    fn router(open: bool) -> (Router, String, Arc<Health>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let token = AdminToken::open(dir.path()).unwrap();
        let text = token.0.to_string();
        let health = Arc::new(Health::default());
        let admin = Router::new().route("/admin/v1/x", get(async || "x"));
        let metrics = Arc::new(Metrics::new([]));
        let address = "127.0.0.1:1".parse().unwrap();
        let router =
            private_router(address, token, Arc::clone(&health), metrics, open, Live::default, admin).unwrap();
        (router, text, health, dir)
    }

    #[tokio::test]
    async fn only_probes_answer_without_the_token() {
        let (router, token, health, _dir) = router(false);
        let local = "127.0.0.1:8081";
        assert_eq!(ask(&router, "/livez", None, local).await, 200);
        assert_eq!(ask(&router, "/readyz", None, local).await, 503);
        for need in [Need::Keys, Need::Store, Need::Config, Need::Mirror] {
            health.set(need, true);
        }
        assert_eq!(ask(&router, "/readyz", None, local).await, 200);
        assert_eq!(ask(&router, "/healthz", None, local).await, 200);
        assert_eq!(ask(&router, "/metrics", None, local).await, 401);
        assert_eq!(ask(&router, "/metrics", Some("wrong"), local).await, 401);
        for path in ["/metrics", "/admin/v1/x"] {
            assert_eq!(ask(&router, path, Some(&token), "evil.example").await, 403, "{path}");
            assert_eq!(ask(&router, path, Some(&token), "localhost:8081").await, 200, "{path}");
        }
    }

    #[tokio::test]
    async fn metrics_can_be_opened() {
        let (router, _token, _health, _dir) = router(true);
        assert_eq!(ask(&router, "/metrics", None, "localhost").await, 200);
    }

    #[test]
    fn the_token_is_made_once_and_hidden() {
        let dir = tempfile::tempdir().unwrap();
        let first = AdminToken::open(dir.path()).unwrap();
        let second = AdminToken::open(dir.path()).unwrap();
        assert_eq!(*first.0, *second.0);
        assert!(!format!("{first:?}").contains(first.0.as_str()));
        let file = dir.path().join(AdminToken::FILE);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&file, "short").unwrap();
        assert!(matches!(AdminToken::open(dir.path()), Err(PrivateError::NoToken(_))));
    }

    #[test]
    fn a_public_address_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let token = AdminToken::open(dir.path()).unwrap();
        let made = private_router(
            "0.0.0.0:1".parse().unwrap(),
            token,
            Arc::default(),
            Arc::new(Metrics::new([])),
            false,
            Live::default,
            Router::new(),
        );
        assert!(matches!(made, Err(PrivateError::NotLoopback(_))));
    }
}
