//! The parameters of `INFO`: JSON that is meant for people who look for faults.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::encoding::{Decode, DecodeError, Encode, Reader, UtcTime, from_text, to_text};

/// The state of a queue.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueInfo {
    /// Whether the queue is secured with a sender's key.
    #[serde(rename = "qiSnd")]
    pub sender_secured: bool,
    /// Whether notifications are allowed.
    #[serde(rename = "qiNtf")]
    pub notifications: bool,
    /// The subscription of this connection.
    #[serde(rename = "qiSub", skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionInfo>,
    /// How many messages there are.
    #[serde(rename = "qiSize")]
    pub size: i64,
    /// The first of them.
    #[serde(rename = "qiMsg", skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageInfo>,
}

/// The state of a subscription.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionInfo {
    /// State of the subscription.
    #[serde(rename = "qSubThread")]
    pub thread: SubscriptionThread,
    /// The message that was delivered and not yet acknowledged: its ID in base64.
    #[serde(rename = "qDelivered", skip_serializing_if = "Option::is_none")]
    pub delivered: Option<String>,
}

/// State of a subscription.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SubscriptionThread {
    /// Nothing waits for messages.
    NoSub,
    /// Delivery is about to start.
    SubPending,
    /// Delivery is waiting for the connection.
    SubThread,
    /// The queue is read with `GET`, so it cannot be subscribed.
    ProhibitSub,
}

/// ID, time and kind of a message.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageInfo {
    /// Its ID in base64.
    #[serde(rename = "msgId")]
    pub id: String,
    /// When the relay received it.
    #[serde(rename = "msgTs", serialize_with = "write_time", deserialize_with = "read_time")]
    pub time: UtcTime,
    /// Its kind.
    #[serde(rename = "msgType")]
    pub kind: MessageKind,
}

/// Kind of a message in a queue.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MessageKind {
    /// A message of the sender.
    Message,
    /// The mark that the queue was full.
    Quota,
}

fn write_time<S: Serializer>(time: &UtcTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&to_text(time))
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UtcTime, D::Error> {
    from_text(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

impl Encode for QueueInfo {
    fn encode(&self, out: &mut Vec<u8>) {
        // Writing to a vector cannot fail, and nothing in the type has no JSON form.
        if let Ok(json) = serde_json::to_vec(self) {
            out.extend_from_slice(&json);
        }
    }
}

impl Decode<'_> for QueueInfo {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        serde_json::from_slice(input.rest()).map_err(|_| DecodeError::Invalid("queue information"))
    }
}
