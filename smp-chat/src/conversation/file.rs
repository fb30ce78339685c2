//! The file of an item: whether it can be received yet.

use smp_protocol::chat::FileOffer;
use smp_protocol::xftp::description::FileDescription;

use super::{Item, Side};

/// The file that comes with a message of the contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceivedFile {
    /// It is described: it can be received.
    Ready(Box<FileDescription>),
    /// Its description has not come, or not all of it: the contact still sends it.
    Coming,
    /// The contact does not offer it any more.
    Cancelled,
}

impl Item {
    /// The offer of a file, if there is one.
    #[must_use]
    pub fn file_offer(&self) -> Option<FileOffer> {
        self.container()?.file()
    }

    /// The file that comes with it, if it is a message of the contact that offers one.
    #[must_use]
    pub fn received_file(&self) -> Option<ReceivedFile> {
        let container = self.container().filter(|_| self.side == Side::Theirs)?;
        container.file()?;
        if self.is_cancelled {
            return Some(ReceivedFile::Cancelled);
        }
        // Part 0 is in the offer itself, and usually empty.
        let described = || container.other.get("file")?.get("fileDescr")?.get("fileDescrText")?.as_str();
        let mut text = described().unwrap_or_default().to_owned();
        text.extend((1..).map_while(|number| self.file_parts.get(&number)).map(String::as_str));
        // The last line of a description is its size, so that of a part of it cannot be read.
        let described = FileDescription::for_recipient(&text);
        Some(described.map_or(ReceivedFile::Coming, |description| ReceivedFile::Ready(Box::new(description))))
    }

    /// The description by which a file of ours can be deleted, if it was sent.
    #[must_use]
    pub fn sent_file(&self) -> Option<FileDescription> {
        let text = self.file_parts.get(&0).filter(|_| self.side == Side::Ours)?;
        FileDescription::for_sender(text).ok()
    }

    /// Keeps the description by which a file of ours can be deleted.
    pub fn set_sent_file(&mut self, description: &FileDescription) {
        if self.side == Side::Ours && !self.is_deleted {
            self.file_parts.insert(0, description.to_yaml());
        }
    }
}
