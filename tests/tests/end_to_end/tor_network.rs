//! A private Tor network on loopback: an authority, four relays, and a client that has onion services too.
//!
//! Everything is Debian's `tor` with `TestingTorNetwork`: nothing leaves this machine.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

/// Besides the authority: enough for the circuits of an onion service and of its client.
const RELAYS: usize = 4;

/// The port of an onion service: that of SMP.
const SERVICE_PORT: u16 = 5223;

/// Ends with the test.
struct Tor(Child);

impl Drop for Tor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct TorNetwork {
    processes: Vec<Tor>,
    proxy: String,
    dir: TempDir,
}

impl TorNetwork {
    /// Starts one with an onion service for each of these sockets. None without `tor`, and says so; `SMP_TEST_TOR=required` demands it.
    pub(crate) async fn start(services: &[SocketAddr]) -> Option<Self> {
        if !is_installed() {
            assert!(std::env::var_os("SMP_TEST_TOR").is_none(), "tor is not installed");
            // Past the harness, which keeps what tests print.
            let _ = writeln!(std::io::stdout(), "skipped: tor is not installed (Debian's package tor)");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create(&dir.path().join("authority"));
        let client_port = free_port();
        let mut network = Self { processes: Vec::new(), proxy: format!("127.0.0.1:{client_port}"), dir };
        network.start_one(&authority, "authority", &authority.settings());
        for number in 0..RELAYS {
            let settings = format!("SocksPort 0\nOrPort 127.0.0.1:{}\nExitPolicy reject *:*\n", free_port());
            network.start_one(&authority, &format!("relay{number}"), &settings);
        }
        let mut client = format!("SocksPort {}\n", network.proxy);
        for (number, socket) in services.iter().enumerate() {
            let service = network.service(number);
            client += &format!(
                "HiddenServiceDir {}\nHiddenServicePort {SERVICE_PORT} {socket}\n",
                service.display()
            );
        }
        network.start_one(&authority, "client", &client);
        Some(network)
    }

    /// `host:port` of the SOCKS proxy.
    pub(crate) fn proxy(&self) -> &str {
        &self.proxy
    }

    /// The hosts of the onion services, as soon as the client has found its way into the network: whoever asks for one earlier is told
    /// that there is none, and has to wait before it may ask again.
    pub(crate) async fn onion_hosts<const COUNT: usize>(&self) -> [String; COUNT] {
        let log = self.dir.path().join("client").join("log");
        while !fs::read_to_string(&log).unwrap_or_default().contains("Bootstrapped 100%") {
            sleep(Duration::from_millis(50)).await;
        }
        let mut hosts = std::array::from_fn(|_| String::new());
        for (number, host) in hosts.iter_mut().enumerate() {
            let file = self.service(number).join("hostname");
            while !host.ends_with(".onion\n") {
                sleep(Duration::from_millis(50)).await;
                *host = fs::read_to_string(&file).unwrap_or_default();
            }
        }
        hosts.map(|host| host.trim_end().to_owned())
    }

    fn service(&self, number: usize) -> PathBuf {
        self.dir.path().join("client").join(format!("service{number}"))
    }

    fn start_one(&mut self, authority: &Authority, name: &str, settings: &str) {
        let dir = self.dir.path().join(name);
        private_dir(&dir);
        let common = format!(
            "TestingTorNetwork 1\n{}\nNickname {name}\nDataDirectory {}\nAddress 127.0.0.1\nAssumeReachable 1\n\
             PathsNeededToBuildCircuits 0.25\nShutdownWaitLength 0\nLog notice file {}\n",
            authority.line,
            dir.display(),
            dir.join("log").display(),
        );
        let file = dir.join("torrc");
        fs::write(&file, common + settings).unwrap();
        let process = Command::new("tor").args(["--quiet", "-f"]).arg(&file).stdin(Stdio::null()).spawn();
        self.processes.push(Tor(process.unwrap()));
    }
}

/// The directory authority: it alone says who is in the network.
struct Authority {
    /// How the others know it.
    line: String,
    or_port: u16,
    dir_port: u16,
}

impl Authority {
    fn create(dir: &Path) -> Self {
        private_dir(dir);
        let keys = dir.join("keys");
        private_dir(&keys);
        let (or_port, dir_port) = (free_port(), free_port());
        let certificate = keys.join("authority_certificate");
        let mut made = Command::new("tor-gencert")
            .args(["--create-identity-key", "-m", "12", "--passphrase-fd", "0"])
            .args(["-a", &format!("127.0.0.1:{dir_port}")])
            .arg("-i")
            .arg(keys.join("authority_identity_key"))
            .arg("-s")
            .arg(keys.join("authority_signing_key"))
            .arg("-c")
            .arg(&certificate)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        made.stdin.take().unwrap().write_all(b"passphrase\n").unwrap();
        assert!(made.wait().unwrap().success(), "tor-gencert");
        let certificate = fs::read_to_string(certificate).unwrap();
        let identity = certificate.lines().find_map(|line| line.strip_prefix("fingerprint ")).unwrap();
        let empty = dir.join("none");
        fs::write(&empty, "").unwrap();
        // It has to be an authority of something to say its fingerprint.
        let nobody = format!("x orport=1 v3ident={identity} 127.0.0.1:2 {}", "F".repeat(40));
        let said = Command::new("tor")
            .args(["--list-fingerprint", "--nickname", "authority", "--dirauthority", &nobody])
            .args(["--orport", &or_port.to_string(), "-f"])
            .arg(&empty)
            .arg("--datadirectory")
            .arg(dir)
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let fingerprint =
            said.lines().last().and_then(|line| line.split_once(' ')).unwrap().1.replace(' ', "");
        let line = format!(
            "DirAuthority authority orport={or_port} no-v2 v3ident={identity} 127.0.0.1:{dir_port} {fingerprint}"
        );
        Self { line, or_port, dir_port }
    }

    /// It agrees with itself as often as it may.
    fn settings(&self) -> String {
        format!(
            "SocksPort 0\nOrPort 127.0.0.1:{}\nDirPort 127.0.0.1:{}\nAuthoritativeDirectory 1\nV3AuthoritativeDirectory 1\n\
             ContactInfo nobody@example.org\nExitPolicy reject *:*\nTestingV3AuthInitialVotingInterval 5\n\
             TestingV3AuthInitialVoteDelay 2\nTestingV3AuthInitialDistDelay 2\nV3AuthVotingInterval 10\nV3AuthVoteDelay 2\n\
             V3AuthDistDelay 2\nTestingDirAuthVoteExit *\nTestingDirAuthVoteHSDir *\nTestingDirAuthVoteGuard *\n",
            self.or_port, self.dir_port
        )
    }
}

fn is_installed() -> bool {
    ["tor", "tor-gencert"].iter().all(|program| {
        let run = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        run.is_ok()
    })
}

/// Tor wants its ports named before anybody listens there.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn private_dir(dir: &Path) {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
}
