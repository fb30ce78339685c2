//! Files for contacts: put on file relays, then told to the contact by a message and the file's description.
//!
//! Each has a directory of its own from the moment that it is [begun](Identity::begin_file) until all of that was handed to the agent. If anything
//! dies in between, [`Identity::send_begun`] goes on: the message has its ID from the beginning, and the agent takes it, and each part of the
//! description, once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use smp_agent::MessageId;
use smp_chat::compose::{self, Outgoing};
use smp_chat::profile::{Feature, disappear_after};
use smp_chat::{Contact, Status};
use smp_crypto::SecretBoxKey;
use smp_files::upload::ToSend;
use smp_files::{Progress, Sent, Upload};
use smp_protocol::chat::{
    ChatEvent, FILE_DESCRIPTION_EVENT, FileOffer, MessageContent, SharedMessageId, file_description,
};
use smp_transport::surroundings::Surroundings;

use super::identity::{Identity, about, connection};
use crate::reach::{Reach, explained};
use crate::scan::is_picture;
use crate::thumbnail::thumbnail;

/// The purpose of the key that journals are sealed with, for the agent.
const PURPOSE: &str = "files";
/// Recipients that relays are told of, as SimpleX apps do for one contact.
const RECIPIENTS: usize = 4;
/// Pause between two attempts to send what could not be sent.
const RETRY: Duration = Duration::from_secs(30);
const AGAIN: &str = "it is kept, and tried again";

/// A file that was begun: all that its message needs.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    connection: i64,
    message: String,
    name: String,
    size: u64,
    text: String,
    /// Of a picture.
    thumbnail: Option<String>,
    ttl: Option<u32>,
}

impl Begun {
    fn id(&self) -> anyhow::Result<SharedMessageId> {
        Ok(serde_json::from_value(self.message.clone().into())?)
    }

    /// The message that offers the file.
    fn message(&self) -> anyhow::Result<Outgoing> {
        let offer = FileOffer { name: self.name.clone(), size: self.size };
        let content = match &self.thumbnail {
            Some(thumbnail) => MessageContent::image(&self.text, thumbnail),
            None => MessageContent::file(&self.text),
        };
        Ok(compose::file(self.id()?, content, &offer, self.ttl)?)
    }
}

impl Identity {
    /// Takes a file over to be sent to a contact, with a text that may be empty: encrypts a copy of it. Returns the directory by which
    /// [`send_begun`](Self::send_begun) goes on.
    pub(crate) async fn begin_file(
        &self,
        contact: &Contact,
        path: &Path,
        text: &str,
    ) -> anyhow::Result<PathBuf> {
        if Reach::of(self.dir(), &[])?.own.is_empty() {
            bail!(
                "There is no file relay to put it on; add one first: smp relay add xftp://FINGERPRINT@HOST"
            );
        }
        let profile = self.book().profile(contact).await?;
        if !Feature::Files.is_ours_with(profile.as_ref()) {
            bail!("{} does not want files, so none was sent", contact.name);
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.with_context(|| format!("{} is not a file", path.display()))?;
        let size =
            std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?.len();
        let id = SharedMessageId::generate(&mut rand::rng());
        let mut begun = Begun {
            connection: contact.connection,
            message: id.to_string(),
            name: name.clone(),
            size,
            text: text.to_owned(),
            thumbnail: thumbnail_of(path).await,
            ttl: disappear_after(contact.disappearing, profile.as_ref()),
        };
        if begun.message().is_err() {
            begun.thumbnail = None;
        }
        // A text that does not fit is told before anything is sent.
        begun.message()?;
        let directory = self.dir().files_dir().join(hex::encode(id.as_bytes()));
        let _busy = self.busy_with(&directory);
        let (seal, data) = (self.files_key(), serde_json::to_vec(&begun)?);
        let file = ToSend { path, name: &name, recipients: RECIPIENTS, data: &data, seal: seal.as_ref() };
        Upload::begin(file, &directory, &Surroundings::machine()).await?;
        Ok(directory)
    }

    /// Uploads what is not uploaded yet of a file that was begun, and tells the contact. Returns the agent's numbers of the messages; none if
    /// nothing is left to be done here.
    pub(crate) async fn send_begun(
        &self,
        directory: &Path,
        progress: Progress<'_>,
    ) -> anyhow::Result<Vec<MessageId>> {
        let Some(_busy) = self.busy_with(directory) else { return Ok(Vec::new()) };
        let surroundings = Surroundings::machine();
        let Some(upload) = Upload::open(directory, self.files_key().as_ref(), &surroundings)? else {
            // It was not begun: nobody was told that it is kept.
            return Ok(std::fs::remove_dir_all(directory).map(|()| Vec::new())?);
        };
        let begun: Begun = serde_json::from_slice(upload.data())?;
        let reach = Reach::of(self.dir(), &[])?;
        let relays = reach.relays();
        let contact = self.book().by_connection(begun.connection).await?;
        let Some(contact) = contact.filter(|contact| contact.status != Status::Ended) else {
            upload.cancel(&relays).await?;
            return Ok(Vec::new());
        };
        let sent = explained(upload.run(&relays, &reach.own, progress).await, AGAIN)?;
        let numbers = self.tell_of_file(&contact, &begun, &sent).await?;
        upload.forget()?;
        Ok(numbers)
    }

    /// Hands the message and the description over, of which a crash may have left any part.
    async fn tell_of_file(
        &self,
        contact: &Contact,
        begun: &Begun,
        sent: &Sent,
    ) -> anyhow::Result<Vec<MessageId>> {
        let message = begun.message()?;
        let id = message.id.clone();
        let mut numbers = Vec::new();
        let item = match self.book().own_by_id(contact, &id).await? {
            Some(item) => item,
            None => {
                let handed_over = self.hand_over(contact, message).await?;
                numbers.push(handed_over.message);
                handed_over.kept.number
            }
        };
        self.book().set_sent_file(contact, item, &sent.sender).await?;
        let description = sent.recipients.first().context("The file has no recipient")?.to_yaml();
        let handle = self.agent().connection(connection(contact));
        for (part, params) in (1_u32..).zip(file_description(&id, &description)) {
            let event = ChatEvent::Other { event: FILE_DESCRIPTION_EVENT.to_owned(), params };
            let body = compose::event(event, &mut rand::rng())?;
            let key = [id.as_bytes(), b"file", &part.to_be_bytes()].concat();
            let sent = handle.send_once(&key, &body).await.map_err(|error| about(contact, error))?;
            numbers.push(sent.id());
        }
        Ok(numbers)
    }

    /// The key of journals, if what is kept here is encrypted.
    fn files_key(&self) -> Option<SecretBoxKey> {
        self.agent().application_key(PURPOSE).map(|key| SecretBoxKey::from_bytes(*key.as_bytes()))
    }

    /// Keeps others of this process away from a file; none if one has it.
    fn busy_with(&self, directory: &Path) -> Option<Busy<'_>> {
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = uploads.insert(directory.to_owned());
        is_free.then(|| Busy { identity: self, directory: directory.to_owned() })
    }
}

/// The thumbnail of a picture; a file that cannot be read as one is sent as any other.
async fn thumbnail_of(path: &Path) -> Option<String> {
    let path = path.to_owned();
    if !path.to_str().is_some_and(is_picture) {
        return None;
    }
    tokio::task::spawn_blocking(move || thumbnail(&path)).await.ok()?.ok()
}

/// A file that somebody in this process works on.
struct Busy<'a> {
    identity: &'a Identity,
    directory: PathBuf,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.identity.uploads.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.directory);
    }
}

/// Sends files that were begun and not sent to their end, again and again until it is dropped.
pub(crate) async fn send_begun_files(identity: Arc<Identity>) {
    loop {
        let entries = std::fs::read_dir(identity.dir().files_dir()).into_iter().flatten().flatten();
        for directory in entries.map(|entry| entry.path()) {
            if let Err(error) = identity.send_begun(&directory, &|_, _| {}).await {
                tracing::info!("a file is not sent yet: {error:#}");
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Whether a directory has files that are not sent to their end.
pub(crate) fn has_begun_files(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
}
