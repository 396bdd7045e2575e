//! TLS on the public listener.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{NamedGroup, ProtocolVersion, RootCertStore};
use tokio::net::TcpStream;

use super::harness::{Bot, Gateway, Home, ask, until};

/// Trusts this certificate and no other.
fn trust(certificate: &Path) -> Arc<rustls::ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(config.unwrap().with_root_certificates(roots).with_no_client_auth())
}

/// Shakes hands: the protocol and the group, or the error.
async fn shake(
    gateway: &Gateway,
    trust: &Arc<rustls::ClientConfig>,
) -> std::io::Result<(Option<ProtocolVersion>, Option<NamedGroup>)> {
    let socket = TcpStream::connect(gateway.public).await?;
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::clone(trust)).connect(name, socket).await?;
    let (_, connection) = stream.get_ref();
    let group = connection.negotiated_key_exchange_group().map(|group| group.name());
    Ok((connection.protocol_version(), group))
}

fn make_certificate(home: &Home, name: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (home.path(&format!("{name}.pem")), home.path(&format!("{name}.key")));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}

#[tokio::test]
async fn development_tls_is_hybrid_and_the_cookie_is_bound_to_the_host() {
    let home = Home::new();
    home.configure("[tls]\nmode = \"development\"\n");
    let mut gateway = home.start(&[]).await;
    assert!(gateway.said.iter().any(|line| line.starts_with("Chat:") && line.contains("https://")));
    let trust = trust(&home.keys().join("development-cert.pem"));
    let (protocol, group) = shake(&gateway, &trust).await.unwrap();
    assert_eq!((protocol, group), (Some(ProtocolVersion::TLSv1_3), Some(NamedGroup::X25519MLKEM768)));
    // Plain HTTP on that port gets nothing.
    let mut plain = TcpStream::connect(gateway.public).await.unwrap();
    let mut answer = Vec::new();
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    plain.write_all(b"GET /chat HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));

    gateway.trust = Some(trust);
    let page = gateway.get("/chat", &[]).await;
    let cookie = page.header("set-cookie");
    assert!(
        cookie.starts_with("__Host-") && cookie.contains("; Secure") && cookie.contains("Path=/"),
        "{cookie}"
    );
    assert!(!cookie.contains("Domain"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    let body = "{\"text\":\"Hello\"}";
    let headers = [("cookie", pair), ("origin", "https://localhost")];
    let answer = gateway.send(http::Method::POST, "/chat/v1/messages", &headers, body).await;
    assert!(answer.status == 200 && answer.text().contains("[DONE]"), "{}", answer.text());
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let (first, first_key) = make_certificate(&home, "first");
    let (second, second_key) = make_certificate(&home, "second");
    let (cert, key) = (home.path("cert.pem"), home.path("key.pem"));
    let put = |from: &Path, to: &Path| {
        // Whole or not at all, as a renewal does it; and never with the time of the one before.
        let fresh = to.with_extension("new");
        std::fs::copy(from, &fresh).unwrap();
        std::fs::rename(fresh, to).unwrap();
    };
    put(&first, &cert);
    put(&first_key, &key);
    home.configure("[tls]\nmode = \"files\"\ncert = \"cert.pem\"\nkey = \"key.pem\"\n");
    let mut gateway = home.serve(&bot).await;
    assert!(shake(&gateway, &trust(&first)).await.is_ok());
    assert!(shake(&gateway, &trust(&second)).await.is_err());

    std::fs::write(&cert, "broken").unwrap();
    gateway.signal("HUP");
    until("the broken one to be refused", async || gateway.printed().contains("certificate is refused"))
        .await;
    assert!(shake(&gateway, &trust(&first)).await.is_ok(), "the old one no longer serves");

    put(&second, &cert);
    put(&second_key, &key);
    gateway.signal("HUP");
    until("the new certificate", async || shake(&gateway, &trust(&second)).await.is_ok()).await;
    assert!(shake(&gateway, &trust(&first)).await.is_err());
    gateway.trust = Some(trust(&second));
    assert_eq!(gateway.chat("sk", &[], &ask("echo", "hello")).await.content(), "hello");

    std::fs::remove_file(&key).unwrap();
    gateway.stop().await;
    let done = home.fails_to_start(&[]).await;
    assert!(done.code == 3 && done.err.contains("key.pem"), "{done:?}");
}
