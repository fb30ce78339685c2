//! Commands of the interface, done with an identity: one file for each subject.

mod address;
mod chats;
mod connect;
mod contact;
mod items;
mod send;
mod user;

use smp_agent::{AgentError, LinkError};
use smp_bot::types::{ChatError, ErrorType, StoreError};
use smp_bot::{Command, Response};
use smp_transport::causes::with_causes;

use super::desk::{Desk, Failure};

/// Why nobody can be met under another profile.
const NO_INCOGNITO: &str = "there are no incognito profiles here: everybody sees the user's own";

pub(super) use self::send::Sending;

type Outcome = Result<Response, Failure>;

impl Desk {
    /// Does a command, and answers.
    pub(super) async fn run(&self, command: Command) -> Response {
        self.execute(command).await.unwrap_or_else(|failure| Response::error(chat_error(failure)))
    }

    async fn execute(&self, command: Command) -> Outcome {
        match command {
            Command::Version => Ok(Response::version(self.version(), env!("CARGO_PKG_VERSION"))),
            Command::Start => Ok(Response::ChatRunning),
            Command::ActiveUser => Ok(Response::ActiveUser { user: self.user() }),
            Command::Users => self.users().await,
            Command::SetActiveUser { user } => self.set_active(user),
            Command::CreateUser { profile } => self.create_user(profile).await,
            Command::SetProfile { user, profile } => self.set_profile(user, profile).await,
            Command::ProfileAddress { user, on } => self.profile_address(user, on).await,
            Command::CreateAddress { user } => self.create_address(user).await,
            Command::ShowAddress { user } => self.show_address(user).await,
            Command::DeleteAddress { user } => self.delete_address(user).await,
            Command::AddressSettings { user, settings } => self.address_settings(user, settings).await,
            Command::AutoAccept { user, on, reply } => self.auto_accept(user, on, reply).await,
            Command::Invite { user } => self.invite(user).await,
            Command::ConnectPlan { user, link } => self.connect_plan(user, &link).await,
            Command::Connect { user, link } => self.connect(user, &link).await,
            Command::Accept(request) => self.accept(&request).await,
            Command::Reject(request) => self.reject(&request).await,
            Command::Send { chat, live, ttl, messages } => {
                let mut sent = self.send_all(vec![Sending { chat, live, ttl, messages }]).await;
                sent.pop().ok_or_else(|| anyhow::anyhow!("nothing was sent").into())
            }
            Command::Update { chat, item, live, content } => self.update(&chat, item, live, content).await,
            Command::DeleteItems { chat, items, mode } => self.delete_items(&chat, &items, mode).await,
            Command::React { chat, item, on, reaction } => self.react(&chat, item, on, &reaction).await,
            Command::Contacts { user } => self.contacts(user).await,
            Command::Groups { user } => {
                self.require_user(user)?;
                Ok(Response::GroupsList { user: self.user(), groups: [] })
            }
            Command::Chats { count } => Ok(Response::Chats { chats: self.chats(count, false).await? }),
            Command::GetChats { user, pending, count } => {
                self.require_user(user)?;
                Ok(Response::ApiChats { user: self.user(), chats: self.chats(count, pending).await? })
            }
            Command::GetChat { chat, page } => self.chat(&chat, &page).await,
            Command::Read { chat } => self.read(&chat).await,
            Command::DeleteChat { chat, messages_only, notify } => {
                self.delete_chat(&chat, messages_only, notify).await
            }
            Command::SetPreferences { chat, preferences } => self.set_preferences(&chat, &preferences).await,
            Command::SetAlias { chat, alias } => self.set_alias(&chat, &alias).await,
            Command::SetCustom { chat, data } => self.set_custom(&chat, data.as_ref()).await,
            Command::Info { chat } => self.info(&chat).await,
            Command::Code { chat } => self.code(&chat).await,
            Command::Verify { chat, code } => self.verify(&chat, code.as_deref()).await,
            Command::DeleteUser { user } => self.delete_user(user),
            Command::AcceptFromGroups { user, on } => self.accept_from_groups(user, on),
            Command::Incognito { on } => self.incognito(on),
            Command::Absent { why } => Err(ChatError::command(why).into()),
            Command::OfGroup { group } => Err(StoreError::GroupNotFound { group_id: group }.into()),
            Command::OfFile { file, receives: true } => {
                Err(StoreError::RcvFileNotFound { file_id: file }.into())
            }
            Command::OfFile { file, receives: false } => {
                Err(StoreError::FileNotFound { file_id: file }.into())
            }
            // The client's own task does them.
            Command::Acknowledge { .. } | Command::Acknowledges { .. } => Ok(Response::CmdOk { user: None }),
        }
    }
}

/// The error that a client is told.
fn chat_error(failure: Failure) -> ChatError {
    let error = match failure {
        Failure::Chat(error) => return error,
        Failure::Other(error) => error,
    };
    match error.downcast_ref::<AgentError>() {
        Some(AgentError::Link(LinkError::Damaged(_))) => ChatError::of(ErrorType::InvalidConnReq),
        Some(AgentError::Link(LinkError::Version)) => ChatError::of(ErrorType::UnsupportedConnReq),
        Some(AgentError::Storage(_) | AgentError::ShutDown) => {
            ChatError::of(ErrorType::InternalError { message: with_causes(error.as_ref()) })
        }
        _ => ChatError::command(with_causes(error.as_ref())),
    }
}
