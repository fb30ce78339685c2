//! Links to files: a recipient's description in a URI.
//!
//! | form | read by |
//! |---|---|
//! | `simplex:/file#/?desc=…`, `https://HOST/file#/?desc=…` | applications |
//! | `https://HOST/#…`, the description deflated | the web page of a file relay, and programs for files |

use std::fmt;

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use thiserror::Error;

use super::description::{DescriptionError, FileDescription, FileParty, MAX_DESCRIPTION_BYTES};
use crate::address::Host;
use crate::base64url;
use crate::encoding::{TextDecode as _, TextReader, lossy_text};
use crate::link::{LinkScheme, Query, QueryWriter, WebServer};

/// The most characters of a link that still makes a QR code that can be scanned. A longer description is put on a relay itself, and
/// the link leads to it ([`Redirect`](super::description::Redirect)).
pub const MAX_QR_LINK: usize = 1_002;
/// How thoroughly is deflated; the usual level of zlib.
const DEFLATE_LEVEL: u8 = 6;

/// A link for applications.
///
/// Source: section 12.7 (`protocol-spec/12-files.md`).
#[derive(Clone, PartialEq, Eq)]
pub struct FileLink {
    /// Its beginning.
    pub scheme: LinkScheme,
    /// The description, of a recipient.
    description: FileDescription,
    /// JSON of an application.
    pub client_data: Option<String>,
}

/// A link for web pages: its host is that of the page, which is a file relay.
///
/// Source: section 12.7 (`protocol-spec/12-files.md`).
#[derive(Clone, PartialEq, Eq)]
pub struct FileWebLink {
    /// The server of the page.
    pub page: WebServer,
    /// The description, of a recipient.
    description: FileDescription,
}

/// A text is not a link to a file that can be used. Ask for the link again.
///
/// Source: section 12.7 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FileLinkError {
    /// It does not begin as such links do.
    #[error("this is not a link to a file")]
    NotALink,
    /// There is no description in it: it was cut.
    #[error("the link is incomplete: it has no description of a file")]
    Missing,
    /// The part of a description is not text, or not deflated.
    #[error("the link is damaged: what is in it cannot be unpacked")]
    Damaged,
    /// The description in it.
    #[error(transparent)]
    Description(#[from] DescriptionError),
}

/// Takes the description of a recipient.
fn recipients(description: FileDescription) -> Result<FileDescription, DescriptionError> {
    match description.party {
        FileParty::Recipient => Ok(description),
        party @ FileParty::Sender => Err(DescriptionError::Party(party)),
    }
}

impl FileLink {
    /// A link in the `simplex:` form.
    ///
    /// # Errors
    /// [`DescriptionError::Party`] for the description of a sender: it deletes the file.
    pub fn new(description: FileDescription) -> Result<Self, DescriptionError> {
        Ok(FileLink { scheme: LinkScheme::Simplex, description: recipients(description)?, client_data: None })
    }

    /// The description.
    #[must_use]
    pub fn description(&self) -> &FileDescription {
        &self.description
    }

    /// The text of the link.
    #[must_use]
    pub fn to_uri(&self) -> String {
        let mut uri = format!("{}/file#/?", self.scheme);
        let mut query = QueryWriter::new(&mut uri);
        query.add("desc", &self.description.to_yaml());
        if let Some(data) = &self.client_data {
            query.add("data", data);
        }
        uri
    }

    /// Reads a link; nothing may precede or follow it.
    ///
    /// # Errors
    /// [`FileLinkError`].
    pub fn from_uri(uri: &str) -> Result<Self, FileLinkError> {
        let mut input = TextReader::new(uri.as_bytes());
        let scheme = LinkScheme::text_decode(&mut input).map_err(|_| FileLinkError::NotALink)?;
        if !input.skip(b"/file") {
            return Err(FileLinkError::NotALink);
        }
        input.skip(b"/");
        if !input.skip(b"#/?") {
            return Err(FileLinkError::NotALink);
        }
        let query = Query::read(&mut input);
        input.finish().map_err(|_| FileLinkError::Damaged)?;
        let yaml = query.get("desc").ok_or(FileLinkError::Missing)?;
        let yaml = std::str::from_utf8(&yaml).map_err(|_| FileLinkError::Damaged)?;
        let description = FileDescription::for_recipient(yaml)?;
        let client_data = query.get("data").map(|data| lossy_text(&data));
        Ok(FileLink { scheme, description, client_data })
    }
}

impl FileWebLink {
    /// A link to the page of this server.
    ///
    /// # Errors
    /// [`DescriptionError::Party`] for the description of a sender: it deletes the file.
    pub fn new(page: WebServer, description: FileDescription) -> Result<Self, DescriptionError> {
        Ok(FileWebLink { page, description: recipients(description)? })
    }

    /// A link to the page of the relay that has the first chunk, at the usual port of pages.
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    pub fn of_first_relay(description: FileDescription) -> Result<Self, DescriptionError> {
        let chunk = description.chunks.as_slice().first();
        let replica = chunk.and_then(|chunk| chunk.replicas.first()).ok_or(DescriptionError::Chunks)?;
        let host: Host = replica.relay.0.hosts.first().canonical();
        Self::new(WebServer { host, port: None }, description)
    }

    /// The description.
    #[must_use]
    pub fn description(&self) -> &FileDescription {
        &self.description
    }

    /// The text of the link.
    #[must_use]
    pub fn to_uri(&self) -> String {
        let deflated = compress_to_vec(self.description.to_yaml().as_bytes(), DEFLATE_LEVEL);
        format!("{}/#{}", LinkScheme::Https(self.page.clone()), base64url::encode(&deflated))
    }

    /// Reads a link; nothing may precede or follow it.
    ///
    /// # Errors
    /// [`FileLinkError`].
    pub fn from_uri(uri: &str) -> Result<Self, FileLinkError> {
        let mut input = TextReader::new(uri.as_bytes());
        let scheme = LinkScheme::text_decode(&mut input).map_err(|_| FileLinkError::NotALink)?;
        let LinkScheme::Https(page) = scheme else { return Err(FileLinkError::NotALink) };
        // Other links of web pages have something behind the slash.
        if !input.skip(b"/#") || input.peek() == Some(b'/') {
            return Err(FileLinkError::NotALink);
        }
        let deflated = base64url::decode(input.remaining()).map_err(|_| FileLinkError::Damaged)?;
        if deflated.is_empty() {
            return Err(FileLinkError::Missing);
        }
        let yaml = decompress_to_vec_with_limit(&deflated, MAX_DESCRIPTION_BYTES);
        let yaml = String::from_utf8(yaml.map_err(|_| FileLinkError::Damaged)?);
        let yaml = yaml.map_err(|_| FileLinkError::Damaged)?;
        Ok(FileWebLink { page, description: FileDescription::for_recipient(&yaml)? })
    }
}

impl fmt::Debug for FileLink {
    /// Prints no key: the link has those of the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileLink({:?})", self.description)
    }
}

impl fmt::Debug for FileWebLink {
    /// Prints no key: the link has those of the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileWebLink({:?})", self.description)
    }
}
