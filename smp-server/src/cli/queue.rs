//! `smp-server block`, `unblock` and `delete`

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use smp_protocol::{
    error::{BlockingInfo, BlockingReason, ClientNotice},
    link::{ConnectionLink, ConnectionRequest, LinkError},
    pasted::{self, PasteError},
};
use smp_server::{
    config::{self, Overrides, parse_duration},
    control::{QueueAnswer, QueueId, QueueOrder, QueueState, order_queue},
};

use super::Place;

#[derive(Args)]
pub(super) struct Queue {
    #[command(flatten)]
    place: Place,
    /// The queue: its sender ID or the ID of its short link (base64url), or a link to it, full or short, in quotes
    #[arg(value_name = "QUEUE", allow_hyphen_values = true, value_parser = queue_id)]
    queue: QueueId,
}

#[derive(Args)]
pub(super) struct BlockOptions {
    #[command(flatten)]
    queue: Queue,
    /// Why; everybody who uses the queue is told
    #[arg(long)]
    reason: Reason,
    /// Ask the recipient's app (from version 18 of the protocol on) to offer no new addresses on this relay for this time,
    /// such as 7d, or "forever"
    #[arg(long, value_name = "DURATION", value_parser = notice)]
    notice: Option<ClientNotice>,
}

#[derive(Args)]
pub(super) struct DeleteOptions {
    #[command(flatten)]
    queue: Queue,
    /// Confirm: the queue and its messages cannot be brought back
    #[arg(long)]
    yes: bool,
}

/// `--reason`
#[derive(Clone, Copy, ValueEnum)]
enum Reason {
    Spam,
    Content,
}

/// The ID in whatever people pass on.
fn queue_id(text: &str) -> Result<QueueId, String> {
    if let Ok(id) = text.trim().parse() {
        return Ok(id);
    }
    let id = match pasted::link(text) {
        Ok(ConnectionLink::Short(link)) => QueueId::new(link.data_credentials().0.as_bytes()),
        Ok(ConnectionLink::Full(request)) => sender_id(&request),
        Err(PasteError::Link(LinkError::NotALink) | PasteError::Empty) => None,
        Err(error) => return Err(error.to_string()),
    };
    id.ok_or_else(|| "neither an ID in base64url nor a link".to_owned())
}

fn sender_id(request: &ConnectionRequest) -> Option<QueueId> {
    QueueId::new(request.queues().first().address.sender_id.as_bytes())
}

fn notice(text: &str) -> Result<ClientNotice, String> {
    if text == "forever" {
        return Ok(ClientNotice { ttl: None });
    }
    let seconds = parse_duration(text)?.as_secs();
    match i64::try_from(seconds) {
        Ok(seconds) if seconds > 0 => Ok(ClientNotice { ttl: Some(seconds) }),
        _ => Err("a notice lasts a second or longer, such as \"7d\", or \"forever\"".to_owned()),
    }
}

pub(super) fn block(options: BlockOptions) -> Result<()> {
    let reason = match options.reason {
        Reason::Spam => BlockingReason::Spam,
        Reason::Content => BlockingReason::Content,
    };
    let info = BlockingInfo { reason, notice: options.notice };
    println!("{}", said(options.queue, QueueOrder::Block(info))?);
    Ok(())
}

pub(super) fn unblock(queue: Queue) -> Result<()> {
    println!("{}", said(queue, QueueOrder::Unblock)?);
    Ok(())
}

pub(super) fn delete(options: DeleteOptions) -> Result<()> {
    if !options.yes {
        bail!("a deleted queue cannot be brought back: add --yes, or block it instead");
    }
    println!("{}", said(options.queue, QueueOrder::Delete)?);
    Ok(())
}

/// Has the running relay do it.
fn said(Queue { place, queue }: Queue, order: QueueOrder) -> Result<String> {
    let socket = control_socket(&place)?;
    sentence(&order_queue(&socket, queue, order.clone())?, &order)
}

pub(super) fn control_socket(place: &Place) -> Result<PathBuf> {
    config::load(&place.config(), &Overrides::default())?.server.control_socket.context(
        "the relay has no control socket (server.control_socket = \"off\"); set it and restart the relay",
    )
}

fn sentence(answer: &QueueAnswer, order: &QueueOrder) -> Result<String> {
    Ok(match (answer, order) {
        (QueueAnswer::Blocked(before), QueueOrder::Block(info)) => match before {
            QueueState::Blocked(before) if *before == info.to_string() => {
                "nothing to do: the queue is blocked like this already".to_owned()
            }
            QueueState::Blocked(before) => format!("blocked: {info} (before: {before})"),
            QueueState::Suspended => format!("blocked: {info} (before: suspended by its recipient)"),
            QueueState::Active => format!("blocked: {info}"),
        },
        (QueueAnswer::Unblocked(QueueState::Blocked(before)), _) => format!("unblocked (before: {before})"),
        (QueueAnswer::Unblocked(QueueState::Suspended), _) => {
            "nothing to do: the queue is not blocked, its recipient has suspended it".to_owned()
        }
        (QueueAnswer::Unblocked(QueueState::Active), _) => {
            "nothing to do: the queue is not blocked".to_owned()
        }
        (QueueAnswer::Deleted(1), _) => "deleted, with 1 message".to_owned(),
        (QueueAnswer::Deleted(messages), _) => format!("deleted, with {messages} messages"),
        (QueueAnswer::Unknown, _) => {
            bail!("there is no queue with this ID here; give the sender ID or the ID of the short link")
        }
        (QueueAnswer::GoesOn, _) => {
            bail!(
                "the disk is slow: the relay is still doing it, and will do it whole; see its log, or ask again later"
            )
        }
        (QueueAnswer::Failed(why), _) => bail!("the store has failed, nothing was changed: {why}"),
        (QueueAnswer::Blocked(_), _) => bail!("the relay has done something else; it may be another version"),
    })
}

#[cfg(test)]
mod tests {
    use smp_protocol::base64url;

    use super::*;

    #[test]
    fn queues_are_named_by_id_or_link() {
        let id = queue_id("-_8AAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        assert_eq!(id.as_bytes().len(), 24);
        for text in ["", "!!", "https://example.org/about", "simplex:/invitation#/?v=1"] {
            assert!(queue_id(text).is_err(), "{text}");
        }
    }

    /// Links of the vectors: the ID stands in them, apart from contact links, where it follows from their key.
    #[test]
    fn links_of_all_kinds_name_their_queue() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol-spec/vectors/links.json");
        let vectors: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let (mut full, mut short) = (0, 0);
        for case in vectors["cases"].as_array().unwrap() {
            let Some(link) = case["str_encoded"].as_str() else { continue };
            let pasted = format!("Please block <{link}>, it is spam");
            let id = || base64url::encode_unpadded(queue_id(&pasted).unwrap().as_bytes());
            match case["kind"].as_str().unwrap() {
                "connection_request" => {
                    assert!(link.contains(&format!("%2F{}", id())), "{link}");
                    full += 1;
                }
                "short_link" if link.contains("/i#") => {
                    assert!(link.contains(&format!("#{}/", id())), "{link}");
                    short += 1;
                }
                "short_link" => {
                    assert_eq!(id().len(), 32, "{link}");
                    short += 1;
                }
                _ => {}
            }
        }
        assert!(full > 5 && short > 5, "{full} {short}");
    }

    #[test]
    fn notices_have_a_time_or_none() {
        assert_eq!(notice("7d").unwrap().ttl, Some(604_800));
        assert_eq!(notice("forever").unwrap().ttl, None);
        for text in ["0s", "10ms", "soon", "-1d"] {
            assert!(notice(text).is_err(), "{text}");
        }
    }
}
