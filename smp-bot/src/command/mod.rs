//! Commands: their text, read. All spellings of one are one command.

mod read;

use serde::Deserialize;
use serde_json::{Map, Value};

use self::read::{Reader, expected};
use crate::types::AddressSettings;

/// Why there is nothing that makes a group.
const GROUPS: &str = "groups are not there yet";
/// Items of a page where a command names no number.
const PAGE: u32 = 50;

/// The text is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Failed reading: {0}")]
pub struct NotUnderstood(String);

/// A contact, by number or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Its number.
    Number(i64),
    /// The name that it has here.
    Name(String),
}

/// A chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatRef {
    /// With one contact.
    Contact(Address),
    /// With a group, by its number.
    Group(i64),
    /// A connection that was not made yet, by its number.
    Connection(i64),
}

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComposedMessage {
    /// A file that goes with it.
    #[serde(default)]
    pub file_source: Option<Value>,
    /// The number of the item that it answers.
    #[serde(default)]
    pub quoted_item_id: Option<i64>,
    /// Its content.
    pub msg_content: Value,
    /// People who are mentioned: in groups only.
    #[serde(default)]
    pub mentions: Map<String, Value>,
}

/// A way to delete an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteMode {
    /// For both sides.
    Broadcast,
    /// Here only.
    Internal,
    /// From what new members of a group get: of no use between two people.
    History,
}

/// A part of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The last items.
    Last,
    /// Items behind this one.
    After(i64),
    /// Items before this one.
    Before(i64),
    /// Items around this one.
    Around(i64),
}

/// A page of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatPage {
    /// Which items.
    pub page: Page,
    /// How many.
    pub count: u32,
    /// Only those with this text.
    pub search: Option<String>,
}

/// A command. Where a user is named, its number stands first; the text forms for people name none.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the parts are those of the interface, and their types say what they are")]
pub enum Command {
    /// `/v`
    Version,
    /// `/_start`
    Start,
    /// `/u`
    ActiveUser,
    /// `/users`
    Users,
    /// `/_user`
    SetActiveUser { user: i64 },
    /// `/_create user`: the profile.
    CreateUser { profile: Option<Value> },
    /// `/_profile`
    SetProfile { user: i64, profile: Value },
    /// `/_profile_address`
    ProfileAddress { user: Option<i64>, on: bool },
    /// `/_address`
    CreateAddress { user: Option<i64> },
    /// `/_show_address`
    ShowAddress { user: Option<i64> },
    /// `/_delete_address`
    DeleteAddress { user: Option<i64> },
    /// `/_address_settings`
    AddressSettings { user: i64, settings: AddressSettings },
    /// `/auto_accept`: on or off, and the message for those who were let in.
    AutoAccept { user: Option<i64>, on: bool, reply: Option<Value> },
    /// `/_connect` without a link
    Invite { user: Option<i64> },
    /// `/_connect plan`
    ConnectPlan { user: i64, link: String },
    /// `/_connect` with a link
    Connect { user: Option<i64>, link: String },
    /// `/_accept`
    Accept(Address),
    /// `/_reject`
    Reject(Address),
    /// `/_send`
    Send { chat: ChatRef, live: bool, ttl: Option<u32>, messages: Vec<ComposedMessage> },
    /// `/_update item`
    Update { chat: ChatRef, item: i64, live: bool, content: Value },
    /// `/_delete item`
    DeleteItems { chat: ChatRef, items: Vec<i64>, mode: DeleteMode },
    /// `/_reaction`
    React { chat: ChatRef, item: i64, on: bool, reaction: Value },
    /// `/_contacts`
    Contacts { user: Option<i64> },
    /// `/_groups`
    Groups { user: Option<i64> },
    /// `/chats`: at most so many.
    Chats { count: u32 },
    /// `/_get chats`: at most so many.
    GetChats { user: Option<i64>, pending: bool, count: u32 },
    /// `/_get chat`
    GetChat { chat: ChatRef, page: ChatPage },
    /// `/_read chat`
    Read { chat: ChatRef },
    /// `/_delete`: the chat, or only its items; and whether the contact is told.
    DeleteChat { chat: ChatRef, messages_only: bool, notify: bool },
    /// `/_ack on|off`: whether this client says which events it has taken.
    Acknowledges { on: bool },
    /// `/_ack`: the events up to this number are taken.
    Acknowledge { number: u64 },
    /// `/_set prefs`: preferences for one contact.
    SetPreferences { chat: ChatRef, preferences: Value },
    /// `/_set alias`: a name for the program only; none if it is empty.
    SetAlias { chat: ChatRef, alias: String },
    /// `/_set custom`: data of the program.
    SetCustom { chat: ChatRef, data: Option<Value> },
    /// `/_info`
    Info { chat: ChatRef },
    /// `/_get code`: the security code.
    Code { chat: ChatRef },
    /// `/_verify code`: the code that the other side has; without one the contact is not verified any more.
    Verify { chat: ChatRef, code: Option<String> },
    /// `/_delete user`
    DeleteUser { user: i64 },
    /// `/_set accept …`: whether the user takes what members of groups send.
    AcceptFromGroups { user: i64, on: bool },
    /// `/incognito`, or `incognito=on` in a command that would show another profile than the user's: nothing is done then.
    Incognito { on: bool },
    /// A command of the app for something that is not here, and why.
    Absent { why: &'static str },
    /// A command about a group, with its number.
    OfGroup { group: i64 },
    /// A command about a file, with its number; and whether one that came.
    OfFile { file: i64, receives: bool },
}

impl Command {
    /// Reads the text of a command.
    ///
    /// # Errors
    /// [`NotUnderstood`] if there is no such command, or something in it is of another shape.
    pub fn parse(text: &str) -> Result<Self, NotUnderstood> {
        let text = text.trim();
        if let Some(chat) = text.strip_prefix('@') {
            return Self::parse_text(chat);
        }
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        Self::parse_word(word, &mut Reader::new(rest))
    }

    /// `@NAME text`, as people type it.
    fn parse_text(text: &str) -> Result<Self, NotUnderstood> {
        // A name in quotation marks has spaces.
        let quoted = text.strip_prefix('\'').and_then(|rest| rest.split_once("' "));
        let (name, text) =
            quoted.or_else(|| text.split_once(' ')).ok_or_else(|| expected("a text behind the name"))?;
        let chat = ChatRef::Contact(Address::Name(name.to_owned()));
        let message = ComposedMessage {
            file_source: None,
            quoted_item_id: None,
            msg_content: serde_json::json!({ "type": "text", "text": text }),
            mentions: Map::new(),
        };
        Ok(Self::Send { chat, live: false, ttl: None, messages: vec![message] })
    }

    fn parse_word(word: &str, rest: &mut Reader<'_>) -> Result<Self, NotUnderstood> {
        let command = match word {
            "/v" | "/version" => Self::Version,
            "/_start" => return Ok(Self::Start),
            "/u" | "/user" if rest.is_empty() => Self::ActiveUser,
            "/users" => Self::Users,
            "/_delete" if rest.take("user") => {
                let user = rest.number()?;
                rest.take_all();
                Self::DeleteUser { user }
            }
            "/_user" => {
                let user = rest.number()?;
                // A password of a hidden user: there is none.
                rest.take_all();
                Self::SetActiveUser { user }
            }
            "/_create" if rest.take("user") => {
                let mut user = rest.json::<Value>()?;
                Self::CreateUser { profile: user.get_mut("profile").map(Value::take) }
            }
            "/_profile" => Self::SetProfile { user: rest.number()?, profile: rest.json()? },
            "/_profile_address" => Self::ProfileAddress { user: Some(rest.number()?), on: rest.switch()? },
            "/profile_address" | "/pa" => Self::ProfileAddress { user: None, on: rest.switch()? },
            "/_address" => {
                let user = Some(rest.number()?);
                rest.flag("pq_ratchet")?;
                Self::CreateAddress { user }
            }
            "/address" | "/ad" => Self::CreateAddress { user: None },
            "/_show_address" => Self::ShowAddress { user: Some(rest.number()?) },
            "/show_address" | "/sa" => Self::ShowAddress { user: None },
            "/_delete_address" => Self::DeleteAddress { user: Some(rest.number()?) },
            "/delete_address" | "/da" => Self::DeleteAddress { user: None },
            "/_address_settings" => {
                let user = rest.number()?;
                rest.flag("pq_ratchet")?;
                Self::AddressSettings { user, settings: settings(rest.json()?)? }
            }
            "/auto_accept" => Self::auto_accept(None, rest)?,
            "/_auto_accept" => Self::auto_accept(Some(rest.number()?), rest)?,
            "/_connect" => return Self::connect(rest),
            "/connect" | "/c" => {
                if rest.incognito()? {
                    return Ok(Self::Incognito { on: true });
                }
                match rest.take_all() {
                    "" => Self::Invite { user: None },
                    link => Self::Connect { user: None, link: link.to_owned() },
                }
            }
            "/_accept" if rest.take("member") => return Self::of_group(rest),
            "/_accept" => {
                if rest.incognito()? {
                    return Ok(Self::Incognito { on: true });
                }
                Self::Accept(Address::Number(rest.number()?))
            }
            "/accept" | "/ac" => Self::Accept(Address::Name(rest.name()?)),
            "/_reject" => {
                let number = rest.number()?;
                rest.flag("notify")?;
                Self::Reject(Address::Number(number))
            }
            "/reject" | "/rc" => Self::Reject(Address::Name(rest.name()?)),
            "/_send" => Self::send(rest)?,
            "/_update" if rest.take("item") => {
                let (chat, item) = (rest.chat_before(is_item)?, rest.number()?);
                let live = rest.flag("live")?.unwrap_or(false);
                rest.expect("json")?;
                Self::Update { chat, item, live, content: updated(rest.json()?) }
            }
            "/_delete" => Self::delete(rest)?,
            "/_reaction" => {
                let (chat, item) = (rest.chat_before(is_item)?, rest.number()?);
                Self::React { chat, item, on: rest.switch()?, reaction: rest.json()? }
            }
            "/_contacts" => Self::Contacts { user: Some(rest.number()?) },
            "/contacts" | "/cs" => Self::Contacts { user: None },
            "/_groups" => {
                let user = Some(rest.number()?);
                rest.take_all();
                Self::Groups { user }
            }
            "/groups" | "/gs" => Self::Groups { user: None },
            "/chats" => match rest.take_all() {
                "" | "all" => Self::Chats { count: u32::MAX },
                count => Self::Chats { count: count.parse().map_err(|_| expected("a number of chats"))? },
            },
            "/_get" => return Self::get(rest),
            "/_set" => return Self::set(rest),
            "/_info" => {
                let chat = rest.chat()?;
                rest.take_all();
                Self::Info { chat }
            }
            "/_verify" if rest.take("code") => {
                let chat = rest.chat()?;
                let code = rest.take_all();
                Self::Verify { chat, code: (!code.is_empty()).then(|| code.to_owned()) }
            }
            "/incognito" => Self::Incognito { on: rest.switch()? },
            "/_clear" if rest.take("chat") => {
                Self::DeleteChat { chat: rest.chat()?, messages_only: true, notify: false }
            }
            "/_read" if rest.take("chat") => {
                let chat = rest.chat()?;
                rest.take_all();
                Self::Read { chat }
            }
            "/_ack" if rest.is_number() => Self::Acknowledge { number: rest.unsigned()? },
            "/_ack" => Self::Acknowledges { on: rest.switch()? },
            "/freceive" | "/fr" | "/fcancel" | "/fc" => {
                let file = rest.number()?;
                rest.take_all();
                Self::OfFile { file, receives: word.starts_with("/fr") }
            }
            _ => return Self::other(word, rest),
        };
        rest.end()?;
        Ok(command)
    }

    /// Commands of the app for things that are not here.
    fn other(word: &str, rest: &mut Reader<'_>) -> Result<Self, NotUnderstood> {
        let why = match word {
            "/_group" | "/_public" => GROUPS,
            "/_share" if rest.take("address") => {
                "the link of the address is in the answer to /_show_address: send it as a text"
            }
            "/_temp_folder" | "/_files_folder" | "/fstatus" | "/fs" => "files are not there yet",
            "/_stop" => "the daemon receives for as long as it runs: end its process",
            "/_hide" | "/_unhide" | "/_mute" | "/_unmute" => {
                "there is one user for each data directory, which is neither hidden nor mute"
            }
            "/_servers" | "/servers" | "/smp" | "/xftp" => {
                "relays are those of the data directory: smp relay list, add, remove"
            }
            "/_db" => "copies of all that is there are made by smp export, while the daemon runs too",
            "/_service_response" => "requests to services are not there yet",
            "/crc" => "nobody else's app can control this program",
            "/verify" if rest.take("remote") => "nobody else's app can control this program",
            _ => return Self::of_group(rest),
        };
        Ok(Self::Absent { why })
    }

    fn set(rest: &mut Reader<'_>) -> Result<Self, NotUnderstood> {
        if rest.take("accept") {
            // Of members, or invitations.
            if !((rest.take("member") && rest.take("contacts"))
                || (rest.take("group") && rest.take("invitations")))
            {
                return Err(NotUnderstood("empty".to_owned()));
            }
            let (user, on) = (rest.number()?, rest.switch()?);
            rest.end()?;
            return Ok(Self::AcceptFromGroups { user, on });
        }
        let what = rest.word();
        if what == "link" {
            return Self::of_group(rest);
        }
        let chat = rest.chat()?;
        Ok(match what {
            "prefs" => Self::SetPreferences { chat, preferences: rest.json()? },
            "alias" => Self::SetAlias { chat, alias: rest.take_all().to_owned() },
            "custom" if rest.is_empty() => Self::SetCustom { chat, data: None },
            "custom" => Self::SetCustom { chat, data: Some(rest.json()?) },
            _ => return Err(NotUnderstood("empty".to_owned())),
        })
    }

    /// Anything about a group that is there in the app.
    fn of_group(rest: &mut Reader<'_>) -> Result<Self, NotUnderstood> {
        match rest.take_all().split_whitespace().find_map(|word| word.strip_prefix('#')?.parse().ok()) {
            Some(group) => Ok(Self::OfGroup { group }),
            None => Err(NotUnderstood("empty".to_owned())),
        }
    }

    fn auto_accept(user: Option<i64>, rest: &mut Reader<'_>) -> Result<Self, NotUnderstood> {
        let on = rest.switch()?;
        if rest.incognito()? {
            rest.take_all();
            return Ok(Self::Incognito { on: true });
        }
        let reply = match rest.take_all() {
            "" => None,
            rest => match rest.strip_prefix("json ") {
                Some(content) => Some(Reader::new(content).json()?),
                None => {
                    let text = rest.strip_prefix("text ").unwrap_or(rest);
                    Some(serde_json::json!({ "type": "text", "text": text }))
                }
            },
        };
        Ok(Self::AutoAccept { user, on, reply })
    }

    fn connect(rest: &mut Reader<'_>) -> Result<Self, NotUnderstood> {
        if rest.take("plan") {
            let user = rest.number()?;
            rest.flag("resolve")?;
            return match rest.take_all() {
                "" => Err(expected("a link")),
                link => Ok(Self::ConnectPlan { user, link: link.to_owned() }),
            };
        }
        let user = Some(rest.number()?);
        if rest.incognito()? {
            return Ok(Self::Incognito { on: true });
        }
        match rest.take_all() {
            "" => Ok(Self::Invite { user }),
            link => Ok(Self::Connect { user, link: link.to_owned() }),
        }
    }

    fn send(rest: &mut Reader<'_>) -> Result<Self, NotUnderstood> {
        let chat = rest.chat_before(is_behind_chat)?;
        let live = rest.flag("live")?.unwrap_or(false);
        let ttl = rest.value("ttl")?;
        // Between two people nothing is signed besides.
        rest.flag("sign")?;
        rest.expect("json")?;
        Ok(Self::Send { chat, live, ttl, messages: rest.json()? })
    }

    fn delete(rest: &mut Reader<'_>) -> Result<Self, NotUnderstood> {
        if rest.take("item") {
            let chat = rest.chat_before(is_item)?;
            let items = rest.numbers()?;
            let mode = match rest.word() {
                "broadcast" => DeleteMode::Broadcast,
                "internal" | "internalMark" => DeleteMode::Internal,
                "history" => DeleteMode::History,
                _ => return Err(expected("broadcast or internal")),
            };
            return Ok(Self::DeleteItems { chat, items, mode });
        }
        if rest.take("member") || rest.take("link") {
            return Self::of_group(rest);
        }
        let chat = rest.chat()?;
        let messages_only = match rest.word() {
            "full" | "entity" | "" => false,
            "messages" => true,
            _ => return Err(expected("full, entity or messages")),
        };
        let notify = rest.flag("notify")?.unwrap_or(true);
        Ok(Self::DeleteChat { chat, messages_only, notify })
    }

    fn get(rest: &mut Reader<'_>) -> Result<Self, NotUnderstood> {
        if rest.take("chats") {
            // An older interface names no user.
            let user = if rest.is_number() { Some(rest.number()?) } else { None };
            let pending = rest.flag("pcc")?.unwrap_or(false);
            let mut count = PAGE;
            // The times of a page are not looked at: all chats are newer than none.
            for word in rest.take_all().split_whitespace() {
                if let Some(number) = word.strip_prefix("count=") {
                    count = number.parse().map_err(|_| expected("a number of chats"))?;
                }
            }
            return Ok(Self::GetChats { user, pending, count });
        }
        if rest.take("code") {
            let chat = rest.chat()?;
            rest.take_all();
            return Ok(Self::Code { chat });
        }
        if !rest.take("chat") {
            return Self::of_group(rest);
        }
        let chat = rest.chat()?;
        let page = if let Some(number) = rest.value("after")? {
            Page::After(number)
        } else if let Some(number) = rest.value("before")? {
            Page::Before(number)
        } else if let Some(number) = rest.value("around")? {
            Page::Around(number)
        } else {
            Page::Last
        };
        let count = rest.value("count")?.unwrap_or(PAGE);
        let search = rest.take_all();
        let search = search.strip_prefix("search=").unwrap_or(search);
        let search = (!search.is_empty()).then(|| search.to_owned());
        Ok(Self::GetChat { chat, page: ChatPage { page, count, search } })
    }
}

/// Whether a word stands behind the chat that messages are sent to.
fn is_behind_chat(word: &str) -> bool {
    word == "json" || ["live=", "ttl=", "sign="].iter().any(|property| word.starts_with(property))
}

/// Whether a word is the number of an item, or several.
fn is_item(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_digit())
        && word.chars().all(|character| character.is_ascii_digit() || character == ',')
}

/// The content of a message with other words. An older interface has nothing around it.
fn updated(mut message: Value) -> Value {
    message.get_mut("msgContent").map(Value::take).unwrap_or(message)
}

/// Settings of an address. An older interface has the reply within what is accepted.
fn settings(mut value: Value) -> Result<AddressSettings, NotUnderstood> {
    if let Some(accept) = value.get_mut("autoAccept").and_then(Value::as_object_mut) {
        let is_off = accept.get("autoAccept").is_some_and(|on| *on == false);
        let reply = accept.remove("autoReply").filter(|reply| !reply.is_null());
        if let (Some(reply), None) = (reply, value.get("autoReply").filter(|reply| !reply.is_null())) {
            value["autoReply"] = reply;
        }
        if is_off {
            value["autoAccept"] = Value::Null;
        }
    }
    serde_json::from_value(value).map_err(|_| expected("settings of an address"))
}

#[cfg(test)]
mod tests;
