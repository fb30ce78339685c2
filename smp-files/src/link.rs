//! Links of descriptions, in whichever form they were given.

use smp_protocol::xftp::description::{DescriptionError, FileDescription};
use smp_protocol::xftp::link::{FileLink, FileLinkError, FileWebLink, MAX_QR_LINK};

/// The link of a description for applications.
///
/// # Errors
/// [`DescriptionError::Party`] for the description of a sender.
pub fn link(description: &FileDescription) -> Result<String, DescriptionError> {
    Ok(FileLink::new(description.clone())?.to_uri())
}

/// Whether a description is short enough for a link that can be scanned. If not, the description is sent as a file
/// itself ([`Upload::of_description`](crate::Upload::of_description)), and the link is that of its description.
#[must_use]
pub fn fits(description: &FileDescription) -> bool {
    link(description).is_ok_and(|link| link.len() <= MAX_QR_LINK)
}

/// The description in a link, for applications or for web pages; `None` if the text is no link to a file.
///
/// # Errors
/// [`FileLinkError`].
pub fn read(text: &str) -> Result<Option<FileDescription>, FileLinkError> {
    match FileLink::from_uri(text) {
        Ok(link) => return Ok(Some(link.description().clone())),
        Err(FileLinkError::NotALink) => {}
        Err(error) => return Err(error),
    }
    match FileWebLink::from_uri(text) {
        Ok(link) => Ok(Some(link.description().clone())),
        Err(FileLinkError::NotALink) => Ok(None),
        Err(error) => Err(error),
    }
}
