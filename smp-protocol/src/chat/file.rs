//! Files that come with messages: the offer in `x.msg.new`, and the description that follows it in `x.msg.file.descr`.

use serde_json::{Map, Value, json};

use super::SharedMessageId;

/// Bytes of a description in one event, so that it fits into a message with post-quantum keys.
pub const FILE_PART_LENGTH: usize = 12_000;
/// The event that brings a part of a description.
pub const FILE_DESCRIPTION_EVENT: &str = "x.msg.file.descr";

/// A file that is offered along with a message.
///
/// Source: section 9.4 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOffer {
    /// The name that the sender gave. Never use it as a path.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
}

impl FileOffer {
    /// The object of an offer whose description follows, as applications make it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "fileName": self.name, "fileSize": self.size, "fileDescr": part(0, "", false) })
    }

    pub(super) fn from_json(file: &Value) -> Option<Self> {
        let name = file.get("fileName")?.as_str()?.to_owned();
        Some(Self { name, size: file.get("fileSize")?.as_u64()? })
    }
}

/// The parameters of the events ([`FILE_DESCRIPTION_EVENT`]) that bring the description of a message's file: its text in parts, numbered
/// from 1.
#[must_use]
pub fn file_description(message: &SharedMessageId, description: &str) -> Vec<Map<String, Value>> {
    let mut rest = description;
    let mut parts = Vec::new();
    while !rest.is_empty() || parts.is_empty() {
        let mut length = rest.len().min(FILE_PART_LENGTH);
        while !rest.is_char_boundary(length) {
            length -= 1;
        }
        let (text, behind) = rest.split_at(length);
        rest = behind;
        let mut params = Map::new();
        params.insert("msgId".into(), message.to_string().into());
        params.insert("fileDescr".into(), part(parts.len() + 1, text, rest.is_empty()));
        parts.push(params);
    }
    parts
}

fn part(number: usize, text: &str, is_last: bool) -> Value {
    json!({ "fileDescrText": text, "fileDescrPartNo": number, "fileDescrComplete": is_last })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of a message around the parameters of its event.
    const FRAME: usize = 100;

    #[test]
    fn a_description_comes_in_parts_that_fit() {
        let id = SharedMessageId::from_bytes([7; 12]);
        for length in [0, 1, FILE_PART_LENGTH, FILE_PART_LENGTH + 1, 100_000] {
            let line = format!("  - {}\n", "x".repeat(150));
            let text = line.repeat(1_000)[..length].to_owned();
            let parts = file_description(&id, &text);
            let mut joined = String::new();
            for (number, params) in (1..).zip(&parts) {
                let part = &params["fileDescr"];
                assert_eq!(params["msgId"], json!(id.to_string()));
                assert_eq!(part["fileDescrPartNo"], json!(number));
                assert_eq!(part["fileDescrComplete"], json!(number == parts.len()));
                joined.push_str(part["fileDescrText"].as_str().unwrap());
                let length = serde_json::to_vec(params).unwrap().len() + FRAME;
                assert!(length <= crate::chat::MAX_MESSAGE_LENGTH_PQ, "{length}");
            }
            assert_eq!(joined, text);
        }
        let offer = FileOffer { name: "a.pdf".into(), size: 5 };
        assert_eq!(FileOffer::from_json(&offer.to_json()), Some(offer));
    }
}
