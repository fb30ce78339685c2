//! The client of a SOCKS5 proxy (RFC 1928, RFC 1929), that of Tor above all.
//!
//! Written here because the libraries there are offer "no authentication" beside a user name: a proxy that prefers that never
//! sees the name, and streams that were to be kept apart share a circuit without a word.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::stream::BoxedStream;
use crate::surroundings::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::Destination;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
/// Version of the exchange of user name and password.
const PASSWORD_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Names that Tor keeps for itself begin so.
const RESERVED_NAME: &str = "<torS0X>";

/// Where a SOCKS5 proxy is, and whose traffic goes through it.
#[derive(Clone, Debug)]
pub struct SocksProxy {
    address: String,
    isolation: Option<Isolation>,
}

/// User name and password: Tor gives streams with different ones different circuits.
#[derive(Clone, PartialEq, Eq)]
pub struct Isolation {
    name: String,
    password: Zeroizing<String>,
}

/// Why a name and a password isolate nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IsolationError {
    /// Both have 1 to 255 bytes: with empty ones Tor isolates nothing.
    #[error("the user name and the password for the SOCKS proxy have 1 to 255 bytes each")]
    Length,
    /// Tor keeps such names for itself.
    #[error("user names for the SOCKS proxy must not begin with \"<torS0X>\": Tor keeps these for itself")]
    Reserved,
}

impl Isolation {
    /// Streams with this name and password are kept apart from all others.
    ///
    /// # Errors
    /// [`IsolationError`].
    pub fn new(name: String, password: String) -> Result<Self, IsolationError> {
        let password = Zeroizing::new(password);
        if name.starts_with(RESERVED_NAME) {
            return Err(IsolationError::Reserved);
        }
        let fits = |text: &str| (1..=255).contains(&text.len());
        if fits(&name) && fits(&password) { Ok(Self { name, password }) } else { Err(IsolationError::Length) }
    }
}

impl fmt::Debug for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Isolation(..)")
    }
}

/// Why a SOCKS proxy did not connect. Each says what to look at.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SocksError {
    /// Nobody answers at the proxy's address.
    #[error("the SOCKS proxy at {0} cannot be reached: {1}")]
    Unreachable(String, #[source] Arc<io::Error>),
    /// The proxy closed the connection in the middle.
    #[error("the SOCKS proxy ended the connection: {0}")]
    Ended(#[source] Arc<io::Error>),
    /// It is something else.
    #[error("what answers at the SOCKS proxy's address is no SOCKS5 proxy")]
    NotSocks5,
    /// The streams were to be kept apart, and the proxy takes no user names.
    #[error("the SOCKS proxy takes no user name, so it cannot keep connections apart; nothing was sent")]
    NotIsolated,
    /// The proxy wants something that we do not have, a password most likely.
    #[error("the SOCKS proxy wants a user name and password")]
    PasswordWanted,
    /// The proxy refuses the user name or password.
    #[error("the SOCKS proxy refuses the user name or password")]
    PasswordRefused,
    /// The proxy was asked and did not connect.
    #[error("{0}")]
    Refused(SocksReply),
}

/// The code with which a proxy refuses to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocksReply(pub u8);

impl fmt::Display for SocksReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match self.0 {
            0x01 => {
                "the SOCKS proxy could not connect: the server is probably down, or its onion address mistyped (code 01)"
            }
            0x02 => "the rules of the SOCKS proxy forbid this connection (code 02)",
            0x03 => "the SOCKS proxy has no way to the network of the host (code 03)",
            0x04 => {
                "the SOCKS proxy cannot reach the host; an onion service may be offline or have a wrong address (code 04)"
            }
            0x05 => "the host refuses the connection: probably a wrong port (code 05)",
            0x06 => "the SOCKS proxy got no answer from the host in time (code 06)",
            0x07 => "the SOCKS proxy cannot make TCP connections (code 07)",
            0x08 => "the SOCKS proxy does not know this kind of address (code 08)",
            0xf0 => "Tor cannot find the onion service: it is offline, or its address is wrong (code F0)",
            0xf1 => "what Tor found of the onion service is damaged: its address may be wrong (code F1)",
            0xf2 => "Tor cannot meet the onion service now; try again later (code F2)",
            0xf3 => "Tor reached the onion service, but got no connection to it; try again later (code F3)",
            0xf4 => {
                "the onion service lets in only clients that it knows, and Tor has no key for it (code F4)"
            }
            0xf5 => "the onion service refuses the key that Tor has for it (code F5)",
            0xf6 => "this is not a valid onion address: check it for typing errors (code F6)",
            0xf7 => "the onion service did not answer Tor in time; try again later (code F7)",
            code => return write!(f, "the SOCKS proxy refuses with the unknown code {code:02X}"),
        };
        f.write_str(sentence)
    }
}

impl SocksProxy {
    /// A proxy at `host:port`; its own name is looked up here. With an isolation, connections are kept apart from others, or not
    /// made.
    #[must_use]
    pub fn new(address: String, isolation: Option<Isolation>) -> Self {
        Self { address, isolation }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Has the proxy connect.
    pub(super) async fn connect(
        &self,
        network: &dyn Network,
        destination: Destination<'_>,
    ) -> Result<BoxedStream, SocksError> {
        let unreachable = |error| SocksError::Unreachable(self.address.clone(), Arc::new(error));
        let mut stream = self.reach(network).await.map_err(unreachable)?;
        self.greet(&mut stream).await?;
        stream.write_all(&request(destination)).await.map_err(ended)?;
        read_reply(&mut stream).await?;
        Ok(stream)
    }

    /// Connects to the proxy, at whichever of its addresses answers.
    async fn reach(&self, network: &dyn Network) -> io::Result<BoxedStream> {
        let addresses = match (self.address.parse(), self.address.rsplit_once(':')) {
            (Ok(address), _) => vec![address],
            (Err(_), Some((host, port))) => {
                let port =
                    port.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
                network.look_up(host, port).await?
            }
            (Err(error), None) => return Err(io::Error::new(io::ErrorKind::InvalidInput, error)),
        };
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in addresses {
            match network.connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Offers one method only: who may choose may choose the one that isolates nothing.
    async fn greet(&self, stream: &mut BoxedStream) -> Result<(), SocksError> {
        let method = if self.isolation.is_some() { USER_AND_PASSWORD } else { NO_AUTHENTICATION };
        stream.write_all(&[VERSION, 1, method]).await.map_err(ended)?;
        let mut chosen = [0; 2];
        stream.read_exact(&mut chosen).await.map_err(ended)?;
        match (chosen, &self.isolation) {
            ([VERSION, NO_METHOD], Some(_)) => Err(SocksError::NotIsolated),
            ([VERSION, NO_METHOD], None) => Err(SocksError::PasswordWanted),
            ([VERSION, chosen], None) if chosen == method => Ok(()),
            ([VERSION, chosen], Some(isolation)) if chosen == method => authenticate(stream, isolation).await,
            ([VERSION, _], Some(_)) => Err(SocksError::NotIsolated),
            ([VERSION, _], None) => Err(SocksError::PasswordWanted),
            _ => Err(SocksError::NotSocks5),
        }
    }
}

async fn authenticate(stream: &mut BoxedStream, isolation: &Isolation) -> Result<(), SocksError> {
    let (name, password) = (isolation.name.as_bytes(), isolation.password.as_bytes());
    // Both were checked to have 255 bytes at most.
    let lengths = [name.len() as u8, password.len() as u8];
    let message = Zeroizing::new([&[PASSWORD_VERSION, lengths[0]], name, &[lengths[1]], password].concat());
    stream.write_all(&message).await.map_err(ended)?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await.map_err(ended)?;
    if answer[1] == 0 { Ok(()) } else { Err(SocksError::PasswordRefused) }
}

fn request(destination: Destination<'_>) -> Vec<u8> {
    let mut request = vec![VERSION, CONNECT, 0];
    let port = match destination {
        Destination::Address(SocketAddr::V4(address)) => {
            request.push(IPV4);
            request.extend_from_slice(&address.ip().octets());
            address.port()
        }
        Destination::Address(SocketAddr::V6(address)) => {
            request.push(IPV6);
            request.extend_from_slice(&address.ip().octets());
            address.port()
        }
        Destination::Name(name, port) => {
            // Names of hosts have 255 bytes at most.
            let name = name.as_bytes().get(..usize::from(u8::MAX)).unwrap_or(name.as_bytes());
            request.extend_from_slice(&[NAME, name.len() as u8]);
            request.extend_from_slice(name);
            port
        }
    };
    request.extend_from_slice(&port.to_be_bytes());
    request
}

/// The address in it, of the proxy's end, is of no use.
async fn read_reply(stream: &mut BoxedStream) -> Result<(), SocksError> {
    let mut head = [0; 4];
    stream.read_exact(&mut head[..2]).await.map_err(ended)?;
    let [version, code, ..] = head;
    if version != VERSION {
        return Err(SocksError::NotSocks5);
    }
    // Behind a refusal nothing need come.
    if code != 0 {
        return Err(SocksError::Refused(SocksReply(code)));
    }
    stream.read_exact(&mut head[2..]).await.map_err(ended)?;
    let length = match head[3] {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(stream.read_u8().await.map_err(ended)?),
        _ => return Err(SocksError::NotSocks5),
    };
    let mut rest = [0; 255 + 2];
    let rest = rest.get_mut(..length + 2).ok_or(SocksError::NotSocks5)?;
    stream.read_exact(rest).await.map(|_| ()).map_err(ended)
}

fn ended(error: io::Error) -> SocksError {
    SocksError::Ended(Arc::new(error))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::surroundings::Surroundings;

    fn network() -> Arc<dyn Network> {
        Surroundings::machine().network
    }

    /// A proxy that says this, piece by piece, each after it has heard the piece beside it.
    async fn scripted(script: Vec<(Vec<u8>, Vec<u8>)>) -> (String, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for (expected, said) in script {
                let mut heard = vec![0; expected.len()];
                stream.read_exact(&mut heard).await.unwrap();
                assert_eq!(heard, expected);
                stream.write_all(&said).await.unwrap();
            }
        });
        (address, serving)
    }

    fn isolation() -> Isolation {
        Isolation::new("alice".to_owned(), "pw".to_owned()).unwrap()
    }

    const TO: Destination<'static> = Destination::Name("abc.onion", 5223);

    fn asked() -> Vec<u8> {
        [&[5, 1, 0, 3, 9], &b"abc.onion"[..], &5223_u16.to_be_bytes()].concat()
    }

    #[tokio::test]
    async fn names_are_passed_on_and_the_stream_begins_behind_the_reply() {
        let replies: [&[u8]; 3] = [
            &[5, 0, 0, 1, 1, 2, 3, 4, 5, 6],
            &[5, 0, 0, 3, 2, b'x', b'y', 5, 6],
            &[5, 0, 0, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 5, 6],
        ];
        for reply in replies {
            let reply = [reply, b"first"].concat();
            let (address, serving) = scripted(vec![(vec![5, 1, 0], vec![5, 0]), (asked(), reply)]).await;
            let mut stream = SocksProxy::new(address, None).connect(&*network(), TO).await.unwrap();
            let mut first = [0; 5];
            stream.read_exact(&mut first).await.unwrap();
            assert_eq!(&first, b"first");
            serving.await.unwrap();
        }
    }

    #[tokio::test]
    async fn who_isolates_offers_nothing_else() {
        let password = b"\x01\x05alice\x02pw".to_vec();
        let script = vec![
            (vec![5, 1, 2], vec![5, 2]),
            (password.clone(), vec![1, 0]),
            (asked(), vec![5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
        ];
        let (address, serving) = scripted(script).await;
        SocksProxy::new(address, Some(isolation())).connect(&*network(), TO).await.unwrap();
        serving.await.unwrap();

        // A proxy that answers "no authentication" all the same, one that takes no names, one that wants others.
        for (said, isolated) in
            [(vec![5, 0], true), (vec![5, 0xff], true), (vec![5, 0xff], false), (vec![5, 2], false)]
        {
            let method = if isolated { 2 } else { 0 };
            let (address, serving) = scripted(vec![(vec![5, 1, method], said)]).await;
            let error = SocksProxy::new(address, isolated.then(isolation))
                .connect(&*network(), TO)
                .await
                .unwrap_err();
            match error {
                SocksError::NotIsolated => assert!(isolated),
                SocksError::PasswordWanted => assert!(!isolated),
                other => panic!("{other:?}"),
            }
            serving.await.unwrap();
        }
        let (address, _serving) = scripted(vec![(vec![5, 1, 2], vec![5, 2]), (password, vec![1, 1])]).await;
        let error = SocksProxy::new(address, Some(isolation())).connect(&*network(), TO).await.unwrap_err();
        assert!(matches!(error, SocksError::PasswordRefused));
    }

    #[tokio::test]
    async fn each_code_has_a_sentence_of_its_own() {
        let mut sentences = std::collections::HashSet::new();
        for code in (0x01..=0x08).chain(0xf0..=0xf7).chain([0x09, 0xff]) {
            let (address, _serving) =
                scripted(vec![(vec![5, 1, 0], vec![5, 0]), (asked(), vec![5, code])]).await;
            let error = SocksProxy::new(address, None).connect(&*network(), TO).await.unwrap_err();
            assert!(matches!(error, SocksError::Refused(SocksReply(other)) if other == code), "{error:?}");
            let sentence = error.to_string();
            assert!(sentence.contains(&format!("{code:02X}")), "{sentence}");
            assert!(sentences.insert(sentence));
        }
    }

    #[tokio::test]
    async fn what_is_no_proxy_is_named() {
        let (address, _serving) = scripted(vec![(vec![5, 1, 0], b"HTTP/1.1 400".to_vec())]).await;
        let error = SocksProxy::new(address, None).connect(&*network(), TO).await.unwrap_err();
        assert!(matches!(error, SocksError::NotSocks5), "{error:?}");
        let (address, _serving) = scripted(Vec::new()).await;
        let error = SocksProxy::new(address, None).connect(&*network(), TO).await.unwrap_err();
        assert!(matches!(error, SocksError::Ended(_)), "{error:?}");
        let error =
            SocksProxy::new("127.0.0.1:1".to_owned(), None).connect(&*network(), TO).await.unwrap_err();
        assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    }

    #[test]
    fn empty_and_reserved_names_isolate_nothing() {
        let new = |name: &str, password: &str| Isolation::new(name.to_owned(), password.to_owned());
        for (name, password) in [("", "x"), ("x", ""), (&*"x".repeat(256), "x")] {
            assert_eq!(new(name, password), Err(IsolationError::Length));
        }
        assert_eq!(new("<torS0X>0", "x"), Err(IsolationError::Reserved));
        assert!(!format!("{:?}", isolation()).contains("alice"));
    }
}
