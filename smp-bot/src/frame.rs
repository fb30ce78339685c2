//! Frames: a command with its correlation ID, the answer with the same, and events without one.

use serde::{Deserialize, Serialize};

use crate::Response;
use crate::types::ChatError;

/// Longest correlation ID in bytes that is given back.
const MAX_CORRELATION: usize = 256;

/// A command of a client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Request {
    /// Given back with the answer as it is.
    #[serde(rename = "corrId")]
    pub correlation: String,
    /// The text of the command.
    #[serde(rename = "cmd")]
    pub command: String,
}

/// The JSON Schema of a frame: an answer or an event.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    /// A frame of the daemon.
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only its schema is wanted")]
    struct Frame {
        /// The correlation ID of the command that it answers; none in an event.
        #[schemars(rename = "corrId")]
        correlation: Option<String>,
        /// The number by which a client acknowledges an event.
        #[schemars(rename = "eventId")]
        number: Option<u64>,
        resp: Response,
    }
    schemars::schema_for!(Frame).to_value()
}

#[derive(Serialize)]
struct Frame<'a> {
    #[serde(rename = "corrId", skip_serializing_if = "Option::is_none")]
    correlation: Option<&'a str>,
    /// The number by which a client that acknowledges says that it has the event.
    #[serde(rename = "eventId", skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    resp: &'a Response,
}

/// Reads a frame of a client.
///
/// # Errors
/// If it is no command.
pub fn read_request(frame: &str) -> Result<Request, ChatError> {
    let request: Request = serde_json::from_str(frame)
        .map_err(|_| ChatError::command("a frame is a JSON object with corrId and cmd, both strings"))?;
    if request.correlation.len() > MAX_CORRELATION {
        return Err(ChatError::command("corrId is too long"));
    }
    Ok(request)
}

/// The frame of an answer; without a correlation ID if the command had none that could be read.
#[must_use]
pub fn answer(correlation: Option<&str>, response: &Response) -> String {
    written(&Frame { correlation, number: None, resp: response })
}

/// The frame of an event, with its number for a client that acknowledges.
#[must_use]
pub fn event(number: Option<u64>, event: &Response) -> String {
    written(&Frame { correlation: None, number, resp: event })
}

fn written(frame: &Frame<'_>) -> String {
    // Maps with keys that are strings, and numbers: there is nothing that could not be written.
    serde_json::to_string(frame).unwrap_or_default()
}
