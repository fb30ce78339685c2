//! Addresses of file relays: those of relays with another scheme and another default port.

use std::fmt;
use std::str::FromStr;

use super::RelayAddress;
use crate::encoding::{DecodeError, TextDecode, TextEncode, TextReader, from_text};

/// The port that a file relay without a port in its address listens on.
pub const DEFAULT_XFTP_PORT: u16 = 443;

const SCHEME: &str = "xftp://";

/// How to find a file relay and how to recognise it: `xftp://<fingerprint>[:<password>]@<host>[,<host>][:<port>]`.
///
/// Source: section 12.1 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct XftpAddress(pub RelayAddress);

impl XftpAddress {
    /// The port to connect to.
    pub fn port_or_default(&self) -> u16 {
        self.0.port.unwrap_or(DEFAULT_XFTP_PORT)
    }

    /// The same address without the password: what goes into descriptions of files.
    #[must_use]
    pub fn without_password(&self) -> Self {
        XftpAddress(self.0.without_password())
    }
}

/// An IPv6 host right before a port stands in brackets, so that it can always be read back.
impl TextEncode for XftpAddress {
    fn text_encode(&self, out: &mut String) {
        self.0.write_readable(SCHEME, out);
    }
}

impl TextDecode for XftpAddress {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        RelayAddress::read_text(SCHEME, input).map(XftpAddress)
    }
}

impl fmt::Display for XftpAddress {
    /// The text form, with the password if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::encoding::to_text(self))
    }
}

impl FromStr for XftpAddress {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        from_text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_and_port_are_those_of_files() {
        let text = "xftp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:secret@a.example,[::1]:5443";
        let address: XftpAddress = text.parse().unwrap();
        assert_eq!((address.to_string().as_str(), address.port_or_default()), (text, 5443));
        let bare = "xftp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@a.example";
        let address: XftpAddress = bare.parse().unwrap();
        assert_eq!((address.to_string().as_str(), address.port_or_default()), (bare, 443));
        assert!(bare.parse::<RelayAddress>().is_err());
        assert!(bare.replace("xftp", "smp").parse::<XftpAddress>().is_err());
    }
}
