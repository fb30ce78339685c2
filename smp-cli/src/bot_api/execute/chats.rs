//! Chats: lists of them, pages of one, and their end.

use smp_bot::types::{Chat, ChatStats};
use smp_bot::{ChatPage, ChatRef, Page, Response};
use smp_chat::{Contact, KeptItem, Status};

use super::Outcome;
use crate::args::{KnownContact, RemoveArgs};
use crate::bot_api::desk::{Desk, Failure};
use crate::commands::{Task, run_task};
use crate::output::{Code, Output, Screen};
use crate::text::unix_millis;

/// Most items of one page.
const MAX_PAGE: u32 = 1000;
/// Most chats of one list.
const MAX_CHATS: u32 = 10_000;

impl Desk {
    pub(super) async fn contacts(&self, user: Option<i64>) -> Outcome {
        self.require_user(user)?;
        let mut contacts = Vec::new();
        for contact in self.identity().book().contacts().await? {
            if matches!(contact.status, Status::Joining | Status::Connected | Status::Ended) {
                contacts.push(self.contact(&contact).await?);
            }
        }
        Ok(Response::ContactsList { user: self.user(), contacts })
    }

    /// The chats with whom something happened last, each with its last item; those that were not made yet only if they are wanted.
    pub(super) async fn chats(&self, count: u32, pending: bool) -> Result<Vec<Chat>, Failure> {
        let count = usize::try_from(count.min(MAX_CHATS)).unwrap_or(usize::MAX);
        let all = self.identity().book().overview().await?.into_iter();
        let shown = all.filter(|chat| pending || chat.contact.status != Status::Invited).take(count);
        let mut chats = Vec::new();
        for chat in shown {
            let items = match chat.last {
                Some(_) => self.identity().book().history(&chat.contact, None, 1, unix_millis()).await?,
                None => Vec::new(),
            };
            chats.push(self.chat_with(&chat.contact, &items, i64::from(chat.unread)).await?);
        }
        Ok(chats)
    }

    async fn chat_with(
        &self,
        contact: &Contact,
        items: &[KeptItem],
        unread_count: i64,
    ) -> anyhow::Result<Chat> {
        let mut chat_items = Vec::with_capacity(items.len());
        for kept in items {
            chat_items.push(self.item(kept).await?);
        }
        let chat_stats = ChatStats { unread_count, ..ChatStats::default() };
        Ok(Chat { chat_info: self.chat_info(contact).await?, chat_items, chat_stats })
    }

    pub(super) async fn chat(&self, chat: &ChatRef, page: &ChatPage) -> Outcome {
        let contact = self.contact_of(chat).await?;
        let items = self.page(&contact, page).await?;
        let unread = self.identity().book().unread().await?;
        let unread = unread.get(&contact.id).copied().map_or(0, i64::from);
        let chat = Box::new(self.chat_with(&contact, &items, unread).await?);
        Ok(Response::ApiChat { user: self.user(), chat })
    }

    async fn page(&self, contact: &Contact, page: &ChatPage) -> Result<Vec<KeptItem>, Failure> {
        let (book, now) = (self.identity().book(), unix_millis());
        let count = page.count.min(MAX_PAGE);
        if let Some(text) = &page.search {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            return Ok(book.search(Some(contact), text, count, now).await?);
        }
        Ok(match page.page {
            Page::Last => book.history(contact, None, count, now).await?,
            Page::Before(number) => book.history(contact, Some(number), count, now).await?,
            Page::After(number) => book.history_after(contact, number, count, now).await?,
            Page::Around(number) => {
                let before = count / 2;
                let mut items = book.history(contact, Some(number), before, now).await?;
                items.extend(
                    book.history_after(contact, number.saturating_sub(1), count - before, now).await?,
                );
                items
            }
        })
    }

    pub(super) async fn read(&self, chat: &ChatRef) -> Outcome {
        let contact = self.contact_of(chat).await?;
        let last = self.identity().book().history(&contact, None, 1, unix_millis()).await?;
        if let Some(last) = last.last() {
            self.identity().book().mark_read(&contact, last.number).await?;
        }
        Ok(Response::CmdOk { user: Some(self.user()) })
    }

    pub(super) async fn delete_chat(&self, chat: &ChatRef, messages_only: bool, notify: bool) -> Outcome {
        let contact = self.contact_of(chat).await?;
        if messages_only {
            self.identity().book().forget_conversation(&contact).await?;
            let chat_info = self.chat_info(&contact).await?;
            return Ok(Response::ChatCleared { user: self.user(), chat_info });
        }
        let user = self.user();
        let response = match contact.status {
            Status::Invited => Response::ContactConnectionDeleted {
                user,
                connection: self.view(&contact, |view| view.pending(None)).await?,
            },
            _ => Response::ContactDeleted { user, contact: self.contact(&contact).await? },
        };
        let args = RemoveArgs { contact: KnownContact { name: contact.name }, quiet: !notify };
        let output = Output::new(true, NoScreen);
        run_task(Task::Remove(args), &mut self.session(), &output).await?;
        Ok(response)
    }
}

/// Nobody looks: the answer says what was done.
struct NoScreen;

impl Screen for NoScreen {
    fn out(&self, _: &str) {}

    fn err(&self, _: &str) {}

    fn code(&self, _: &Code) -> anyhow::Result<()> {
        Ok(())
    }
}
