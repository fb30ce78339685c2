//! `QueueRecord`: a queue without its messages and the data of its link.

use smp_crypto::{DhSecret, PublicAuthKey};
use smp_protocol::{
    encoding::Reader,
    error::ErrorType,
    id::{LinkId, NotifierId, RecipientId, SenderId, ServiceId},
};

/// A day, counted from 1970-01-01 (UTC). Times of use are kept no finer than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u32);

impl Day {
    /// The day of a time in seconds since 1970.
    #[must_use]
    pub fn of(seconds: u64) -> Self {
        Day(u32::try_from(seconds / 86_400).unwrap_or(u32::MAX))
    }
}

/// A queue, without its messages and link data. Cheap to share, never changed in place: a change makes a new record.
#[derive(Debug, Clone)]
pub struct QueueRecord {
    /// ID for the recipient's commands.
    pub recipient_id: RecipientId,
    /// Keys that may authorize the recipient's commands, at least one (several after `RKEY`).
    pub recipient_keys: Vec<PublicAuthKey>,
    /// Agreed with the recipient; encrypts the bodies in `MSG`.
    pub recipient_dh: DhSecret,
    /// ID for the sender's commands.
    pub sender_id: SenderId,
    /// Key that authorizes the sender's commands, once the queue is secured.
    pub sender_key: Option<PublicAuthKey>,
    /// The purpose of the queue; `None` when created by a client older than version 9, or not stated.
    pub mode: Option<QueueMode>,
    /// Short link of the queue.
    pub link: Option<QueueLink>,
    /// Notifier of the queue.
    pub notifier: Option<Notifier>,
    /// Whether it accepts messages.
    pub status: QueueStatus,
    /// Day of the last change or subscription; `None` in queues imported without one.
    pub updated: Option<Day>,
    /// Service that subscribes to the messages of this queue.
    pub recipient_service: Option<ServiceId>,
}

impl QueueRecord {
    /// Whether it takes requests to connect from anyone. Contact queues from before version 9 have no mode; they are never
    /// secured.
    pub(crate) fn is_contact(&self) -> bool {
        match self.mode {
            Some(mode) => mode == QueueMode::Contact,
            None => self.sender_key.is_none(),
        }
    }

    /// Whether it is a queue of one connection that nobody else can send to.
    pub(crate) fn is_secured_messaging(&self) -> bool {
        self.mode != Some(QueueMode::Contact) && self.sender_key.is_some()
    }
}

/// The purpose of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueMode {
    /// Messages of one connection; its sender may secure it (`SKEY`, `LKEY`).
    Messaging,
    /// Requests to connect from anyone.
    Contact,
}

/// Short link of a queue, without its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueLink {
    /// ID of the link.
    pub id: LinkId,
    /// SHA-256 of the fixed data, which must not change.
    pub fixed_digest: [u8; 32],
}

impl QueueLink {
    /// The link of a queue with these data.
    #[must_use]
    pub fn new(id: LinkId, data: &LinkData) -> Self {
        QueueLink { id, fixed_digest: smp_crypto::hash::sha256(&data.fixed) }
    }
}

/// Data of a short link, both parts encrypted by the client.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkData {
    /// Part that never changes.
    pub fixed: Vec<u8>,
    /// Part that the recipient may replace.
    pub user: Vec<u8>,
}

impl LinkData {
    /// Its size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.fixed.len() + self.user.len()
    }
}

impl std::fmt::Debug for LinkData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkData").field("fixed", &self.fixed.len()).field("user", &self.user.len()).finish()
    }
}

/// Credentials of a queue's notifier.
#[derive(Debug, Clone)]
pub struct Notifier {
    /// ID for the notifier's commands.
    pub id: NotifierId,
    /// Key that authorizes them.
    pub key: PublicAuthKey,
    /// Agreed with the recipient; encrypts the message metadata in `NMSG`.
    pub dh: DhSecret,
    /// Service that subscribes to the notifications of this queue.
    pub service: Option<ServiceId>,
}

/// Whether a queue accepts messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueStatus {
    /// It does.
    Active,
    /// The recipient has suspended it (`OFF`): `SEND` gets `ERR AUTH`.
    Suspended,
    /// The operator has blocked it: `SEND` gets `ERR BLOCKED` with these bytes, the encoding of the blocking
    /// information (spec chapter `4-commands.md`).
    Blocked(Box<[u8]>),
}

impl QueueStatus {
    /// Lets commands pass that work on any queue that the operator has not blocked.
    ///
    /// # Errors
    ///
    /// `BLOCKED` with the operator's reason.
    pub(crate) fn refuse_blocked(&self) -> Result<(), ErrorType> {
        match self {
            Self::Blocked(info) => Err(blocked(info)),
            Self::Active | Self::Suspended => Ok(()),
        }
    }

    /// Lets `SEND` pass.
    ///
    /// # Errors
    ///
    /// `AUTH` if the recipient has suspended the queue, `BLOCKED` if the operator has blocked it.
    pub(crate) fn refuse_inactive(&self) -> Result<(), ErrorType> {
        match self {
            Self::Suspended => Err(ErrorType::Auth),
            Self::Active | Self::Blocked(_) => self.refuse_blocked(),
        }
    }
}

/// `BLOCKED` with these parameters, as they are sent.
fn blocked(info: &[u8]) -> ErrorType {
    let error = [b"BLOCKED ", info].concat();
    ErrorType::decode(&mut Reader::new(&error)).unwrap_or(ErrorType::Auth)
}

/// A queue to be created.
#[derive(Debug, Clone)]
pub struct NewQueue {
    /// Its record. [`QueueRecord::link`] must be there exactly if `link_data` is.
    pub record: QueueRecord,
    /// Data of its short link.
    pub link_data: Option<LinkData>,
}

/// By which of its IDs a queue is looked up.
#[derive(Debug, Clone, Copy)]
pub enum QueueId<'a> {
    /// As its recipient knows it.
    Recipient(&'a RecipientId),
    /// As its sender knows it.
    Sender(&'a SenderId),
    /// As its notifier knows it.
    Notifier(&'a NotifierId),
    /// By its short link.
    Link(&'a LinkId),
}

impl QueueId<'_> {
    /// Whether this record is the queue with this ID.
    #[must_use]
    pub fn is_of(&self, record: &QueueRecord) -> bool {
        match self {
            QueueId::Recipient(id) => record.recipient_id == **id,
            QueueId::Sender(id) => record.sender_id == **id,
            QueueId::Notifier(id) => record.notifier.as_ref().is_some_and(|notifier| notifier.id == **id),
            QueueId::Link(id) => record.link.as_ref().is_some_and(|link| link.id == **id),
        }
    }
}
