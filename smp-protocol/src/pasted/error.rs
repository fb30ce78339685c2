//! Errors of pasted texts that hold no link or address that can be used.

use thiserror::Error;

use crate::link::LinkError;

/// No link or address can be taken from a pasted text. The sentence says what is wrong, without showing the text.
///
/// Source: section 8.1 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PasteError {
    /// Nothing but white space and characters that nobody sees.
    #[error("there is no text")]
    Empty,
    /// Longer than [`MAX_PASTED`](super::MAX_PASTED).
    #[error("the text is too long for a link or an address")]
    TooLong,
    /// The text holds links, or addresses, that differ.
    #[error("there are several links or addresses in the text, and they differ; give one of them")]
    Several,
    /// The next line may go on with it or not.
    #[error(
        "it is not certain whether the link or address goes on in the next line; put it alone into one line"
    )]
    Unclear,
    /// A character in its middle that none has: a program replaced what stood there.
    #[error(
        "there is a “{0}” in the link, which none has: a program has replaced something there; copy it from where it was made"
    )]
    Foreign(char),
    /// The part that looks like a link is none, or is damaged.
    #[error("{0}; copy the whole link again")]
    Link(#[from] LinkError),
    /// Nothing that begins as the address of a relay does.
    #[error("this is not a relay address, which looks like smp://FINGERPRINT@HOST")]
    NotAnAddress,
    /// The address of a relay of another protocol (`xftp://`, `ntf://`).
    #[error("this is the address of a relay for something else; a relay for messages has smp://")]
    OtherProtocol,
    /// `<fingerprint>` or `<hostnames>` stands where they belong.
    #[error("the relay address has a placeholder in angle brackets; put the relay's own values there")]
    Placeholder,
    /// Without a fingerprint nobody could tell the relay from an impostor.
    #[error("the relay address has no fingerprint before an @")]
    NoFingerprint,
    /// It is not 43 characters of base64url, with or without `=` behind them.
    #[error(
        "the fingerprint in the relay address is damaged: it has 43 characters, and perhaps a = behind them"
    )]
    Fingerprint,
    /// The password has characters that none has.
    #[error("the password in the relay address has a character that none may have")]
    Password,
    /// No host, or one that is none.
    #[error("the host in the relay address cannot be read")]
    Host,
    /// Hosts of one relay with different ports.
    #[error("the hosts in the relay address have different ports; a relay has one port for all of them")]
    Ports,
    /// A path behind the hosts: a queue's address, or a web page's.
    #[error("the relay address is followed by something that does not belong to it")]
    Trailing,
}
