//! The beginning of a full link: `simplex:` or a web server.

use std::fmt;

use crate::address::Host;
use crate::encoding::{DecodeError, TextDecode, TextReader};

/// The beginning of a full link. Nothing depends on it but what is opened when somebody clicks on it.
///
/// Source: section 8.1 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum LinkScheme {
    /// `simplex:`: opens an application that is installed.
    #[default]
    Simplex,
    /// `https://<host>[:<port>]`: opens a web page that explains, or the application. The page's server does not
    /// get to see the link's parameters, they follow a `#`.
    Https(WebServer),
}

/// The server of a web page.
///
/// Source: section 8.1 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebServer {
    /// Its host.
    pub host: Host,
    /// Its port, if not the usual one.
    pub port: Option<u16>,
}

impl fmt::Display for LinkScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simplex => f.write_str("simplex:"),
            Self::Https(WebServer { host, port: None }) => write!(f, "https://{host}"),
            Self::Https(WebServer { host: host @ Host::Ipv6(_), port: Some(port) }) => {
                write!(f, "https://[{host}]:{port}")
            }
            Self::Https(WebServer { host, port: Some(port) }) => write!(f, "https://{host}:{port}"),
        }
    }
}

impl TextDecode for LinkScheme {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        if input.skip(b"simplex:") {
            return Ok(Self::Simplex);
        }
        input.expect(b"https://")?;
        let host = Host::text_decode(input)?;
        let port = if input.skip(b":") { Some(u16::text_decode(input)?) } else { None };
        Ok(Self::Https(WebServer { host, port }))
    }
}
