//! The information page, over TCP and in a browser.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs::File,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use smp_protocol::{command, id::EntityId, message::BrokerMessage};
use smp_server::{
    Relay, RunningRelay,
    config::{Config, StoreKind, parse_password},
    control::{CertificateState, ask_status},
    init,
};
use smp_transport::{
    client::{self, RelayClient},
    surroundings::Surroundings,
};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

const SOON: Duration = Duration::from_secs(10);

/// A browser that takes longer hangs.
const BROWSER_TIMEOUT: Duration = Duration::from_secs(120);

fn config(dir: &Path) -> Config {
    let mut config = init::local::embedded(dir, &Surroundings::machine()).unwrap();
    config.store.kind = StoreKind::Memory;
    config.page.listen = Some("127.0.0.1:0".parse().unwrap());
    config.page.operator = "Example <b>Operators</b> & Co".to_owned();
    config.page.operator_country = "SE".to_owned();
    config.page.website = "https://relay.example/about".to_owned();
    config.page.contact_email = "admin@relay.example".to_owned();
    config.page.hosting = "Example Hosting".to_owned();
    config.page.source_code = "javascript:alert(1)".to_owned();
    config
}

async fn relay(change: impl FnOnce(&mut Config)) -> (RunningRelay, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    change(&mut config);
    (Relay::start(config).await.unwrap(), dir)
}

/// Sends these bytes, reads until the end.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    timeout(SOON, stream.read_to_end(&mut answer)).await.expect("no end").unwrap();
    String::from_utf8(answer).unwrap()
}

/// Status line with headers in lower case, and the body.
async fn ask(address: SocketAddr, method: &str, path: &str) -> (String, String) {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let answer = exchange(address, request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn the_page_says_what_the_relay_is() {
    let (relay, _dir) = relay(|_| ()).await;
    let (head, body) = ask(relay.page_addr().unwrap(), "GET", "/").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(body.contains(&relay.address().to_string()));
    for text in [
        "<svg class=\"qr\"",
        "Example &lt;b&gt;Operators&lt;/b&gt; &amp; Co (SE)",
        "href=\"https://relay.example/about\"",
        "href=\"mailto:admin@relay.example\"",
        "<dd>javascript:alert(1)</dd>",
        "<dd>open to everybody</dd>",
        "<dd>128</dd>",
        "<dd>21 days</dd>",
        "<dd>6 to 19</dd>",
    ] {
        assert!(body.contains(text), "{text}");
    }
    relay.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_browser_may_do_nothing_but_show_it() {
    let (relay, _dir) = relay(|_| ()).await;
    for path in ["/", "/nothing"] {
        let (head, body) = ask(relay.page_addr().unwrap(), "GET", path).await;
        for header in [
            "content-security-policy: default-src 'none'; style-src 'sha256-",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "x-frame-options: deny",
        ] {
            assert!(head.contains(header), "{path}: {header} in {head}");
        }
        assert!(!head.contains("set-cookie") && !head.contains("unsafe"), "{head}");
        // Nothing is loaded: neither scripts, nor pictures, nor style sheets.
        for tag in ["<script", "<img", "<link", "<iframe", "src=", "@import", "url(", " style=", " onload"] {
            assert!(!body.contains(tag), "{path}: {tag}");
        }
    }
}

/// Links to people are opened in browsers where no app knows them.
#[tokio::test]
async fn links_are_explained() {
    let (relay, _dir) = relay(|_| ()).await;
    let address = relay.page_addr().unwrap();
    for (path, title) in LINKS {
        for path in [format!("/{path}"), format!("/{path}/"), format!("/{path}?source=x")] {
            let (head, body) = ask(address, "GET", &path).await;
            assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
            assert!(
                head.contains("content-security-policy: default-src 'none'; style-src 'sha256-"),
                "{head}"
            );
            assert!(body.contains(&format!("<title>{title}</title>")), "{path}: {body}");
            for text in ["What to do", "Copy the whole address", "it has not reached this relay"] {
                assert!(body.contains(text), "{path}: {text}");
            }
            for tag in
                ["<script", "<img", "<link", "<iframe", "src=", "@import", "url(", " style=", " onload"]
            {
                assert!(!body.contains(tag), "{path}: {tag}");
            }
        }
        let (head, body) = ask(address, "HEAD", &format!("/{path}")).await;
        assert!(head.starts_with("http/1.1 200") && body.is_empty(), "{head}");
    }
    // Some programs write the # so that browsers send what stands behind it.
    let (head, body) = ask(address, "GET", "/i%23s3cret/").await;
    assert!(head.starts_with("http/1.1 400") && body.contains("was sent to this server"), "{head} {body}");
    assert!(!body.contains("s3cret"), "nothing of the request is shown");
}

/// Paths of links, and the titles of their pages.
const LINKS: [(&str, &str); 7] = [
    ("i", "An invitation to talk in private"),
    ("invitation", "An invitation to talk in private"),
    ("a", "The address of somebody to talk to"),
    ("contact", "The address of somebody to talk to"),
    ("c", "A channel"),
    ("g", "A group"),
    ("r", "A relay for groups"),
];

#[tokio::test]
async fn passwords_stay_secret() {
    let (relay, _dir) = relay(|config| config.queues.create_password = parse_password("s3cret").ok()).await;
    let (_, body) = ask(relay.page_addr().unwrap(), "GET", "/").await;
    assert!(!body.contains("s3cret") && body.contains("<dd>with the password</dd>"));
    assert!(body.contains(&relay.address().without_password().to_string()));
}

#[tokio::test]
async fn files_have_an_address_of_their_own_if_there_are_any() {
    let (with, _dir) = relay(|config| {
        config.files.enabled = true;
        config.files.create_password = parse_password("s3cret").ok();
    })
    .await;
    let (_, body) = ask(with.page_addr().unwrap(), "GET", "/").await;
    let address = with.files_address().unwrap().without_password().to_string();
    assert!(body.contains(&address) && body.contains("2 days") && !body.contains("s3cret"), "{body}");
    let (without, _dir) = relay(|_| {}).await;
    let (_, body) = ask(without.page_addr().unwrap(), "GET", "/").await;
    assert!(!body.contains("xftp://") && !body.contains("Files"));
}

#[tokio::test]
async fn other_requests_are_refused() {
    let (relay, _dir) = relay(|_| ()).await;
    let address = relay.page_addr().unwrap();
    let (head, body) = ask(address, "HEAD", "/").await;
    assert!(head.starts_with("http/1.1 200") && body.is_empty(), "{head}");
    for path in ["/x", "/../etc/passwd", "/%2e%2e/identity/server.key"] {
        assert!(ask(address, "GET", path).await.0.starts_with("http/1.1 404"), "{path}");
    }
    let (head, _) = ask(address, "POST", "/").await;
    assert!(head.starts_with("http/1.1 405") && head.contains("allow: get, head"), "{head}");
    let answer = exchange(address, b"\x16\x03\x01 this is no HTTP\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400") || answer.is_empty(), "{answer}");
}

#[tokio::test]
async fn a_request_may_not_be_large() {
    let (relay, _dir) = relay(|_| ()).await;
    let address = relay.page_addr().unwrap();
    let many: String = (0..100).map(|n| format!("X-{n}: x\r\n")).collect();
    for headers in [many, format!("X: {}\r\n", "x".repeat(15_000)) + "Y: " + &"y".repeat(5_000)] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may be refused while it is being written.
        let _ = stream.write_all(format!("GET / HTTP/1.1\r\n{headers}\r\n\r\n").as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("no end");
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_disturb_the_relay() {
    let (relay, _dir) = relay(|_| ()).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(relay.page_addr().unwrap()).await.unwrap());
    }
    let connected = RelayClient::connect(relay.address(), client::ClientConfig::default());
    let (client, _events) = timeout(SOON, connected).await.unwrap().unwrap();
    let pong = client.send(None, EntityId::empty(), command::Command::Ping).await.unwrap();
    assert_eq!(pong, BrokerMessage::Pong);
    // Nor do they hide the page: the oldest make room.
    assert!(ask(relay.page_addr().unwrap(), "GET", "/").await.0.starts_with("http/1.1 200"));
    assert_eq!(relay.refused()[0].setting, "page.max_connections");
    drop(silent);
}

#[tokio::test]
async fn one_address_has_a_share_of_the_page() {
    let (relay, _dir) = relay(|config| {
        config.limits.count_loopback = true;
        config.page.max_connections = 8;
        config.page.max_connections_per_address = 3;
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(relay.page_addr().unwrap()).await.unwrap());
        // The answer to another one shows that it has been accepted.
        assert!(ask(relay.page_addr().unwrap(), "GET", "/").await.0.starts_with("http/1.1 200"));
    }
    assert_eq!(relay.refused()[0].setting, "page.max_connections_per_address");
    assert_eq!(relay.refused().len(), 1, "it has not come to the total");
}

/// Files of a certificate for this machine that signs itself.
fn certificate(dir: &Path, name: &str) -> (PathBuf, PathBuf, CertificateDer<'static>) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let files = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
    std::fs::write(&files.0, made.cert.pem()).unwrap();
    std::fs::write(&files.1, made.signing_key.serialize_pem()).unwrap();
    (files.0, files.1, made.cert.der().clone())
}

/// Asks for the page over HTTPS, as somebody who trusts this certificate alone.
async fn ask_https(address: SocketAddr, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer)).await.expect("no end")?;
    Ok(answer)
}

#[tokio::test]
async fn with_a_certificate_it_is_https_and_a_new_one_is_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate_file, key_file, first) = certificate(dir.path(), "page");
    let mut config = config(dir.path());
    config.page.tls_certificate = Some(certificate_file.clone());
    config.page.tls_key = Some(key_file.clone());
    let mut relay = Relay::start(config.clone()).await.unwrap();
    let address = relay.page_addr().unwrap();
    let answer = ask_https(address, &first).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("<svg"), "{answer}");
    assert!(answer.to_lowercase().contains("content-security-policy: default-src 'none'"), "{answer}");
    // Without TLS there is no answer.
    assert!(!exchange(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.contains("HTTP"));

    // A certificate without its key changes nothing.
    let (_, _, second) = certificate(dir.path(), "next");
    std::fs::copy(dir.path().join("next.crt"), &certificate_file).unwrap();
    let error = relay.reload(config.clone()).unwrap_err().to_string();
    assert!(error.contains("page.crt") && error.contains("page.key"), "{error}");
    assert!(ask_https(address, &first).await.is_ok());
    std::fs::copy(dir.path().join("next.key"), &key_file).unwrap();
    assert!(relay.reload(config.clone()).unwrap().page_certificate);
    assert!(!relay.reload(config.clone()).unwrap().page_certificate, "the same");
    assert!(ask_https(address, &second).await.is_ok() && ask_https(address, &first).await.is_err());

    (config.page.tls_certificate, config.page.tls_key) = (None, None);
    let reloaded = relay.reload(config).unwrap();
    assert_eq!(reloaded.settings.applied, ["page.tls_certificate", "page.tls_key"]);
    assert!(ask(address, "GET", "/").await.0.starts_with("http/1.1 200"));
}

/// As [`certificate`], valid between these days.
fn certificate_of(dir: &Path, name: &str, from: OffsetDateTime, until: OffsetDateTime) -> (PathBuf, PathBuf) {
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (from, until);
    let key = rcgen::KeyPair::generate().unwrap();
    let files = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
    std::fs::write(&files.0, params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&files.1, key.serialize_pem()).unwrap();
    files
}

/// Messages do not wait for a page: the relay starts, and says what is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_said_and_renewed() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control");
    let mut config = config(dir.path());
    config.server.control_socket = Some(socket.clone());
    let day = time::Duration::DAY;
    let now = OffsetDateTime::now_utc();
    let state = async || {
        let socket = socket.clone();
        let status = tokio::task::spawn_blocking(move || ask_status(&socket)).await.unwrap().unwrap();
        status.page_certificate.map(|certificate| (certificate.state, certificate.says))
    };
    let (file, key) = certificate_of(dir.path(), "page", now - 40 * day, now - 3 * day);
    (config.page.tls_certificate, config.page.tls_key) = (Some(file.clone()), Some(key.clone()));
    let mut relay = Relay::start(config.clone()).await.unwrap();
    let (found, says) = state().await.unwrap();
    assert_eq!(found, CertificateState::Expired);
    assert!(says.contains("3 days ago") && says.contains("renew") && says.contains("reload"), "{says}");
    let connected = RelayClient::connect(relay.address(), client::ClientConfig::default());
    assert!(timeout(SOON, connected).await.unwrap().is_ok(), "the relay is there");

    for (from, until, wanted, words) in [
        (now + 2 * day, now + 90 * day, CertificateState::NotYetValid, "check the clock"),
        (now - 80 * day, now + 10 * day, CertificateState::ExpiresSoon, "renew"),
        (now - day, now + 80 * day, CertificateState::Valid, "valid until"),
    ] {
        certificate_of(dir.path(), "page", from, until);
        assert!(relay.reload(config.clone()).unwrap().page_certificate);
        let (found, says) = state().await.unwrap();
        assert_eq!(found, wanted, "{says}");
        assert!(says.contains(words), "{says}");
    }
    // One of those that it depends on.
    let (above, _) = certificate_of(dir.path(), "above", now - 90 * day, now - day);
    let chain = [std::fs::read(&file).unwrap(), std::fs::read(above).unwrap()].concat();
    std::fs::write(&file, chain).unwrap();
    relay.reload(config.clone()).unwrap();
    assert_eq!(state().await.unwrap().0, CertificateState::Expired);

    (config.page.tls_certificate, config.page.tls_key) = (None, None);
    relay.reload(config).unwrap();
    assert_eq!(state().await, None);
    relay.shutdown().await.unwrap();
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (good, key, _) = certificate(dir.path(), "good");
    let (_, other_key, _) = certificate(dir.path(), "other");
    let (text, absent) = (dir.path().join("text"), dir.path().join("absent"));
    std::fs::write(&text, "no PEM").unwrap();
    let base = config(dir.path());
    for (certificate, key, wanted) in [
        (Some(&absent), Some(&key), "cannot read"),
        (Some(&good), Some(&absent), "cannot read"),
        (Some(&text), Some(&key), "no certificates"),
        (Some(&key), Some(&key), "no certificates"),
        (Some(&good), Some(&text), "no private key"),
        (Some(&good), Some(&other_key), "cannot use"),
        (Some(&good), None, "belong together"),
        (None, Some(&key), "belong together"),
    ] {
        let mut config = base.clone();
        (config.page.tls_certificate, config.page.tls_key) = (certificate.cloned(), key.cloned());
        let error = Relay::start(config).await.unwrap_err().to_string();
        assert!(error.contains(wanted) && !error.contains('\n'), "{wanted}: {error}");
    }
    let mut without_page = base;
    without_page.page.listen = None;
    (without_page.page.tls_certificate, without_page.page.tls_key) = (Some(absent.clone()), Some(absent));
    assert!(Relay::start(without_page).await.is_ok(), "what is not served is not read");
}

#[tokio::test]
async fn without_the_setting_there_is_no_page() {
    let (relay, _dir) = relay(|config| config.page.listen = None).await;
    assert_eq!(relay.page_addr(), None);
}

/// The first of these programs that is installed; with `SMP_TEST_BROWSER=required` there must be one.
fn browser() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        let found = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
    });
    let required = std::env::var("SMP_TEST_BROWSER").is_ok_and(|value| value == "required");
    assert!(found.is_some() || !required, "no Chromium works here");
    found
}

/// Prints what was looked at, also where the test harness captures what tests print.
fn say(text: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{text}").unwrap();
}

/// Runs a browser with a profile of its own, and returns what it prints.
fn browse(browser: &str, url: &str, more: &[String]) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let file = |name| profile.path().join(name);
    let mut process = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"])
        .args(["--enable-logging=stderr", "--v=0"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(more)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(File::create(file("stdout")).unwrap())
        .stderr(File::create(file("stderr")).unwrap())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let status = loop {
        match process.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if started.elapsed() > BROWSER_TIMEOUT => {
                process.kill().unwrap();
                process.wait().unwrap();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let said = |name| String::from_utf8_lossy(&std::fs::read(file(name)).unwrap()).into_owned();
    let (stdout, stderr) = (said("stdout"), said("stderr"));
    assert!(status.is_some_and(|status| status.success()), "{status:?} {stderr}");
    (stdout, stderr)
}

/// Set `SMP_PAGE_SCREENSHOTS` to a directory to look at the pictures.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_it() {
    let Some(browser) = browser() else {
        return say("a browser looks at the page: skipped, no Chromium is installed");
    };
    let (relay, dir) = relay(|_| ()).await;
    let url = format!("http://{}/", relay.page_addr().unwrap());
    let (dom, log) = browse(browser, &url, &["--dump-dom".to_owned()]);
    assert!(dom.contains(&relay.address().to_string()) && dom.contains("<svg"), "{dom}");
    // A browser complains on its console if it may not apply or load something of the page.
    assert!(!log.contains("Content Security Policy"), "{log}");
    let wanted = std::env::var_os("SMP_PAGE_SCREENSHOTS").map(PathBuf::from);
    let pictures = wanted.unwrap_or_else(|| dir.path().to_path_buf());
    look_at_links(browser, &url, &pictures);
    for (name, size, dark) in
        [("light", "1000,1300", false), ("dark", "1000,1300", true), ("narrow", "500,1900", false)]
    {
        let picture = pictures.join(format!("{name}.png"));
        let mut options =
            vec![format!("--screenshot={}", picture.display()), format!("--window-size={size}")];
        if dark {
            options.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        browse(browser, &url, &options);
        let bytes = std::fs::read(&picture).unwrap();
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 10_000, "{name}: {} bytes", bytes.len());
        say(&format!("{}: {} bytes", picture.display(), bytes.len()));
    }
    relay.shutdown().await.unwrap();
}

/// A link as somebody gets it, with its secret.
fn look_at_links(browser: &str, url: &str, pictures: &Path) {
    for (path, title) in [LINKS[0], LINKS[2]] {
        let link = format!("{url}{path}#AbCdEfGhIjKlMnOpQrStUvWxYz0123456789");
        let (dom, log) = browse(browser, &link, &["--dump-dom".to_owned()]);
        assert!(dom.contains(&format!("<h1>{title}</h1>")) && dom.contains("What to do"), "{dom}");
        assert!(!log.contains("Content Security Policy"), "{log}");
        for (size, dark) in [("900,900", false), ("400,1200", true)] {
            let picture = pictures.join(format!("link-{path}-{}.png", if dark { "narrow" } else { "wide" }));
            let mut options =
                vec![format!("--screenshot={}", picture.display()), format!("--window-size={size}")];
            if dark {
                options.push("--blink-settings=preferredColorScheme=0".to_owned());
            }
            browse(browser, &link, &options);
            let bytes = std::fs::read(&picture).unwrap();
            assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 10_000, "{path}: {} bytes", bytes.len());
            say(&format!("{}: {} bytes", picture.display(), bytes.len()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_it_over_https() {
    let Some(browser) = browser() else {
        return say("a browser looks at the page: skipped, no Chromium is installed");
    };
    let (relay, _dir) = relay(|config| {
        let (certificate, key, _) = certificate(config.identity.path.parent().unwrap(), "page");
        (config.page.tls_certificate, config.page.tls_key) = (Some(certificate), Some(key));
    })
    .await;
    let url = format!("https://{}/", relay.page_addr().unwrap());
    let options = ["--dump-dom", "--ignore-certificate-errors"].map(str::to_owned);
    let (dom, _) = browse(browser, &url, &options);
    assert!(dom.contains(&relay.address().to_string()) && dom.contains("<svg"), "{dom}");
    relay.shutdown().await.unwrap();
}
