//! TLS of the public listener, and hardening of the process.
//!
//! TLS 1.3 only, X25519MLKEM768 first (FIPS 203 with X25519, so that what is recorded today cannot be opened by a
//! quantum computer later), no early data (it can be replayed). The certificate comes from files (read again when they
//! change; a broken new file keeps the old), from an ACME authority, or is a self-signed one for development.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use futures_util::StreamExt as _;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{Acceptor as HelloReader, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_acme::caches::DirCache;
use rustls_acme::{AcmeConfig, is_tls_alpn_challenge};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::Tls;
use crate::seeing::create_private;

/// TLS cannot be set up. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{}: {cause}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        cause: String,
    },
    /// Certificate and key do not fit, or rustls does not want them.
    #[error("the certificate cannot be used: {0}")]
    Certificate(rustls::Error),
    /// The development certificate cannot be made.
    #[error("no development certificate can be made: {0}")]
    Development(rcgen::Error),
}

/// Makes aws-lc-rs the process's provider of cryptography. First thing in `main`.
pub fn install_default() {
    // Fails only if one is installed already, and then it is this one: the build has no other.
    let _ = provider().install_default();
}

/// No core dumps, no debugger on a process that holds keys. Warns if the system does not let us: a container without the
/// right to do so is still better served than not at all.
pub fn harden() {
    if secmem_proc::harden_process().is_err() {
        tracing::warn!("core dumps and debuggers could not be forbidden for this process");
    }
}

/// aws-lc-rs with the hybrid group first.
fn provider() -> CryptoProvider {
    let groups: Vec<&'static dyn SupportedKxGroup> = vec![
        aws_lc_rs::kx_group::X25519MLKEM768,
        aws_lc_rs::kx_group::X25519,
        aws_lc_rs::kx_group::SECP256R1,
        aws_lc_rs::kx_group::SECP384R1,
    ];
    CryptoProvider { kx_groups: groups, ..aws_lc_rs::default_provider() }
}

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// TLS of the public listener, ready to shake hands.
#[derive(Debug, Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    challenge: Option<Arc<ServerConfig>>,
    files: Option<Arc<FromFiles>>,
}

impl Acceptor {
    /// Sets TLS up, or gives nothing if the configuration has it off. With ACME a task is started that gets and renews
    /// the certificate, so this must be called inside the runtime.
    pub fn new(tls: &Tls, keys: &Path) -> Result<Option<Self>, TlsError> {
        match tls {
            Tls::Off => Ok(None),
            Tls::Files { cert, key } => {
                let files = Arc::new(FromFiles::read(cert.clone(), key.clone())?);
                Self::with(Arc::clone(&files) as _, None).map(|s| Some(Self { files: Some(files), ..s }))
            }
            Tls::Development => {
                let (cert, key) = development(keys)?;
                let files = Arc::new(FromFiles::read(cert, key)?);
                Self::with(files, None).map(Some)
            }
            Tls::Acme { domains, contact, directory } => {
                let state = AcmeConfig::new_with_client_config(domains, acme_client()?)
                    .contact(contact)
                    .directory(directory)
                    .cache(DirCache::new(private_folder(&keys.join("acme"))?))
                    .state();
                let challenge = state.challenge_rustls_config_with_provider(Arc::new(provider()));
                let server = Self::with(state.resolver(), Some(challenge))?;
                tokio::spawn(renew(state));
                Ok(Some(server))
            }
        }
    }

    fn with(
        resolver: Arc<dyn ResolvesServerCert>,
        challenge: Option<Arc<ServerConfig>>,
    ) -> Result<Self, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Certificate)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.max_early_data_size = 0;
        Ok(Self { config: Arc::new(config), challenge, files: None })
    }

    /// Shakes hands, within ten seconds. Nothing if that fails, or if it was the ACME authority that came to look (and
    /// is served already).
    pub async fn accept<IO: AsyncRead + AsyncWrite + Unpin>(&self, io: IO) -> Option<TlsStream<IO>> {
        match tokio::time::timeout(HANDSHAKE, self.shake(io)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                // The client's business; its words stay out of the log.
                tracing::debug!(kind = %error.kind(), "a TLS handshake failed");
                None
            }
            Err(_) => None,
        }
    }

    async fn shake<IO: AsyncRead + AsyncWrite + Unpin>(&self, io: IO) -> io::Result<Option<TlsStream<IO>>> {
        let start = LazyConfigAcceptor::new(HelloReader::default(), io).await?;
        if let Some(challenge) = &self.challenge
            && is_tls_alpn_challenge(&start.client_hello())
        {
            start.into_stream(Arc::clone(challenge)).await?.shutdown().await?;
            return Ok(None);
        }
        start.into_stream(Arc::clone(&self.config)).await.map(Some)
    }

    /// Looks whether the certificate's files changed and takes the new ones. Call it at a slow tick and on reload. A
    /// broken new file keeps the old certificate and is the error. True if a new one is in force.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        self.files.as_ref().map_or(Ok(false), |files| files.refresh())
    }
}

/// A certificate from two files.
#[derive(Debug)]
struct FromFiles {
    cert: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    seen: Mutex<Stamp>,
}

/// When the two files were written last.
type Stamp = [Option<SystemTime>; 2];

impl FromFiles {
    fn read(cert: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        // The stamp is taken before reading: a change in between is seen at the next look.
        let seen = Mutex::new(stamp(&cert, &key));
        let current = ArcSwap::from_pointee(certified(&cert, &key)?);
        Ok(Self { cert, key, current, seen })
    }

    fn refresh(&self) -> Result<bool, TlsError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.cert, &self.key);
        if *seen == now {
            return Ok(false);
        }
        let fresh = certified(&self.cert, &self.key)?;
        // Only now: a half-written pair (new certificate, old key) is tried again at the next look.
        *seen = now;
        self.current.store(Arc::new(fresh));
        Ok(true)
    }
}

impl ResolvesServerCert for FromFiles {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn stamp(cert: &Path, key: &Path) -> Stamp {
    [cert, key].map(|file| std::fs::metadata(file).and_then(|meta| meta.modified()).ok())
}

fn certified(cert: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let failed = |file: &Path, cause: &dyn std::fmt::Display| TlsError::File {
        file: file.to_owned(),
        cause: cause.to_string(),
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| failed(cert, &e))?;
    if chain.is_empty() {
        return Err(failed(cert, &"holds no certificate (PEM)"));
    }
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|e| failed(key, &e))?;
    let certified = CertifiedKey::from_der(chain, key_der, &provider()).map_err(TlsError::Certificate)?;
    certified.keys_match().map_err(TlsError::Certificate)?;
    Ok(certified)
}

fn private_folder(folder: &Path) -> Result<PathBuf, TlsError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|e| TlsError::File { file: folder.to_owned(), cause: e.to_string() })?;
    Ok(folder.to_owned())
}

/// The development certificate in the keys folder, made at the first start. It is for `localhost` and this machine only.
fn development(keys: &Path) -> Result<(PathBuf, PathBuf), TlsError> {
    let (cert, key) = (keys.join("development-cert.pem"), keys.join("development-key.pem"));
    if cert.exists() && key.exists() {
        return Ok((cert, key));
    }
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).map_err(TlsError::Development)?;
    for (file, text) in [(&key, made.signing_key.serialize_pem()), (&cert, made.cert.pem())] {
        let text = zeroize::Zeroizing::new(text);
        let failed = |e: io::Error| TlsError::File { file: file.clone(), cause: e.to_string() };
        if let Err(e) = std::fs::remove_file(file)
            && e.kind() != io::ErrorKind::NotFound
        {
            return Err(failed(e));
        }
        let mut out = create_private(file).map_err(failed)?;
        io::Write::write_all(&mut out, text.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)?;
    }
    Ok((cert, key))
}

/// The ACME client trusts what the system trusts.
fn acme_client() -> Result<Arc<rustls::ClientConfig>, TlsError> {
    use hyper_rustls::ConfigBuilderExt as _;
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Certificate)?
        .with_native_roots()
        .map_err(|e| TlsError::File {
            file: "the system's root certificates".into(),
            cause: e.to_string(),
        })?;
    Ok(Arc::new(builder.with_no_client_auth()))
}

async fn renew(mut state: rustls_acme::AcmeState<io::Error, io::Error>) {
    while let Some(event) = state.next().await {
        match event {
            Ok(event) => tracing::info!(event = ?event, "acme"),
            // What the authority says may quote the request; the kind of error is enough, and it is tried again.
            Err(error) => tracing::error!(error = %error, "acme"),
        }
    }
}

/// TLS to a database on another machine: its certificate must name the host and come from those we trust.
pub struct ToDatabase(tokio_rustls::TlsConnector);

impl ToDatabase {
    /// Trusts the certificates of a file, or those the system trusts.
    pub fn new(ca: Option<&Path>) -> Result<Self, TlsError> {
        use hyper_rustls::ConfigBuilderExt as _;
        let builder = rustls::ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Certificate)?;
        let builder = match ca {
            None => builder.with_native_roots().map_err(|cause| TlsError::File {
                file: PathBuf::from("the certificates of this system"),
                cause: cause.to_string(),
            })?,
            Some(file) => {
                let broken = |cause: String| TlsError::File { file: file.to_owned(), cause };
                let mut roots = rustls::RootCertStore::empty();
                for root in CertificateDer::pem_file_iter(file).map_err(|e| broken(e.to_string()))? {
                    let root = root.map_err(|e| broken(e.to_string()))?;
                    roots.add(root).map_err(TlsError::Certificate)?;
                }
                builder.with_root_certificates(roots)
            }
        };
        Ok(Self(tokio_rustls::TlsConnector::from(Arc::new(builder.with_no_client_auth()))))
    }
}

impl chatward_store::Encrypt for ToDatabase {
    fn encrypt(&self, host: &str, plain: Box<dyn chatward_store::Wire>) -> chatward_store::Encrypting {
        let name = rustls::pki_types::ServerName::try_from(host.to_owned());
        let connector = self.0.clone();
        Box::pin(async move {
            let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            let encrypted = tokio::time::timeout(HANDSHAKE, connector.connect(name, plain)).await;
            let encrypted = encrypted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok(Box::new(encrypted) as Box<dyn chatward_store::Wire>)
        })
    }
}

#[cfg(test)]
mod tests {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{ServerName, UnixTime};
    use rustls::{ClientConfig, DigitallySignedStruct, NamedGroup, ProtocolVersion, SignatureScheme};
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// Takes any certificate: these tests look at the handshake only.
    #[derive(Debug)]
    struct Anybody;

    impl ServerCertVerifier for Anybody {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            provider().signature_verification_algorithms.supported_schemes()
        }
    }

    fn client() -> Arc<ClientConfig> {
        speaking(&rustls::version::TLS13)
    }

    fn speaking(version: &'static rustls::SupportedProtocolVersion) -> Arc<ClientConfig> {
        let config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_no_client_auth();
        Arc::new(config)
    }

    async fn shake(
        server: &Acceptor,
        client: Arc<ClientConfig>,
    ) -> io::Result<(tokio_rustls::client::TlsStream<tokio::io::DuplexStream>, Vec<u8>)> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let server = server.clone();
        let serving = tokio::spawn(async move {
            let mut stream = server.accept(ours).await.ok_or(io::ErrorKind::Other)?;
            stream.write_all(b"hello").await?;
            stream.shutdown().await
        });
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = tokio_rustls::TlsConnector::from(client).connect(name, theirs).await?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await?;
        serving.await.unwrap()?;
        Ok((stream, text))
    }

    #[tokio::test]
    async fn tls_13_with_the_hybrid_group_and_nothing_older() {
        let dir = tempfile::tempdir().unwrap();
        let server = Acceptor::new(&Tls::Development, dir.path()).unwrap().unwrap();
        let (stream, text) = shake(&server, client()).await.unwrap();
        let (_, connection) = stream.get_ref();
        assert_eq!(text, b"hello");
        assert_eq!(connection.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let group = connection.negotiated_key_exchange_group().unwrap();
        assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
        // TLS 1.2 is built in since e-mail is sent (its library speaks it with mail servers); this server does not.
        assert!(shake(&server, speaking(&rustls::version::TLS12)).await.is_err());
    }

    #[tokio::test]
    async fn renewed_files_are_taken_and_broken_ones_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = development(dir.path()).unwrap();
        let server =
            Acceptor::new(&Tls::Files { cert: cert.clone(), key: key.clone() }, dir.path()).unwrap().unwrap();
        let shown = async || {
            let (stream, _) = shake(&server, client()).await.unwrap();
            stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
        };
        let first = shown().await;
        assert!(!server.refresh().unwrap());

        let later = |file: &Path, seconds| {
            let file = std::fs::File::options().write(true).open(file).unwrap();
            file.set_modified(SystemTime::now() + Duration::from_secs(seconds)).unwrap();
        };
        std::fs::write(&cert, "broken").unwrap();
        later(&cert, 10);
        assert!(server.refresh().is_err());
        assert_eq!(shown().await, first);

        let other = tempfile::tempdir().unwrap();
        let (new_cert, new_key) = development(other.path()).unwrap();
        std::fs::copy(&new_cert, &cert).unwrap();
        later(&cert, 20);
        // The key is still the old one: the pair does not fit.
        assert!(server.refresh().is_err());
        std::fs::copy(&new_key, &key).unwrap();
        later(&key, 20);
        assert!(server.refresh().unwrap());
        assert_ne!(shown().await, first);
    }

    #[test]
    fn the_development_certificate_is_kept_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = development(dir.path()).unwrap();
        let before = std::fs::read(&cert).unwrap();
        assert_eq!(std::fs::read(development(dir.path()).unwrap().0).unwrap(), before);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(key.exists() && Acceptor::new(&Tls::Off, dir.path()).unwrap().is_none());
    }
}
