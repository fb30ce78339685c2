//! Events besides messages in words: of groups, calls and files, which are not here.

use serde_json::{Map, Value};

use super::{Kind, Line, NAME, file_cancelled, short};

/// An event besides messages. None if there is nothing to say about it.
#[must_use]
pub fn other(event: &str, params: &Map<String, Value>) -> Option<Line> {
    Some(match event {
        "x.call.inv" => call(params),
        "x.grp.inv" => Line::new(
            Kind::Group,
            format!(
                "[an invitation to {}; groups cannot be joined here yet]",
                group(params, "groupInvitation")
            ),
        ),
        "x.grp.direct.inv" => {
            Line::new(Kind::Group, "[an invitation to talk outside of a group; it cannot be taken here yet]")
        }
        "x.file.cancel" => file_cancelled(None),
        event if is_silent(event) => return None,
        event => match group_event(event) {
            Some(words) => Line::new(Kind::Group, format!("[{words}; groups are not here yet]")),
            None => {
                let name = short(event, NAME);
                Line::new(Kind::Unknown, format!("[something that this version does not know: {name}]"))
            }
        },
    })
}

/// Whether an event is one about which there is nothing to say: what two apps tell each other about files and calls that are not
/// there, and questions of privacy that nobody has to answer.
#[must_use]
pub fn is_silent(event: &str) -> bool {
    const SILENT: [&str; 9] = [
        "x.info.probe",
        "x.info.probe.check",
        "x.info.probe.ok",
        "x.msg.file.descr",
        "x.file.acpt",
        "x.file.acpt.inv",
        "x.msg.file.acpt",
        "x.msg.file.cancel",
        "x.grp.acpt",
    ];
    SILENT.contains(&event) || (event.starts_with("x.call.") && event != "x.call.inv")
}

/// An event of a group in words, by the event that says it there.
fn group_event(event: &str) -> Option<&'static str> {
    Some(match event {
        "x.member" => "a request to join a group",
        "x.grp.link.inv" => "an answer to a request to join a group",
        "x.grp.link.acpt" => "a group has accepted a member",
        "x.grp.link.reject" => "a group has refused a member",
        "x.grp.info" | "x.grp.prefs" => "the description of a group was changed",
        "x.grp.leave" => "somebody has left a group",
        "x.grp.del" => "a group was deleted",
        "x.grp.mem.new" => "somebody has joined a group",
        "x.grp.mem.del" => "somebody was removed from a group",
        "x.grp.mem.role" | "x.grp.mem.restrict" => "the rights of somebody in a group were changed",
        "x.grp.msg.forward" => "a message of a group",
        event if event.starts_with("x.grp.mem.") || event.starts_with("x.grp.link.") => {
            "a message about the members of a group"
        }
        event if event.starts_with("x.grp.relay.") => "a message about the relays of a public group",
        _ => return None,
    })
}

fn group(params: &Map<String, Value>, invitation: &str) -> String {
    let name = || params.get(invitation)?.get("groupProfile")?.get("displayName")?.as_str();
    name().map_or_else(|| "a group".to_owned(), |name| format!("the group {}", short(name, NAME)))
}

fn call(params: &Map<String, Value>) -> Line {
    let media = params.get("invitation").and_then(|invitation| {
        invitation.get("callType")?.get("media")?.as_str().filter(|media| matches!(*media, "audio" | "video"))
    });
    let kind = media.map_or_else(|| "call".to_owned(), |media| format!("{media} call"));
    Line::new(Kind::Call, format!("[{kind}; calls cannot be taken here, so it was ended]"))
}
