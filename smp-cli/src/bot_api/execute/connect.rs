//! Connections: invitations, links of others, and people who ask.

use smp_agent::{LinkKind, ShortLinkScheme};
use smp_bot::types::{ConnectionLinks, ConnectionPlan, ErrorType, LinkPlan, StoreError};
use smp_bot::{Address, Response};
use smp_chat::{Contact, Status};

use super::Outcome;
use crate::bot_api::desk::{Desk, Failure};
use crate::commands::join;

impl Desk {
    pub(super) async fn invite(&self, user: Option<i64>) -> Outcome {
        self.require_user(user)?;
        let identity = self.identity();
        let shown = identity.shown_with_link();
        let (connection, invitation) = identity.agent().create_short_invitation(&shown).await?;
        let short = invitation.short.map(|short| short.to_uri(ShortLinkScheme::Simplex));
        let links =
            ConnectionLinks { conn_full_link: invitation.full.to_string(), conn_short_link: short.clone() };
        let kept = short.unwrap_or_else(|| links.conn_full_link.clone());
        let contact = identity.book().add(connection.number(), None, Status::Invited, Some(&kept)).await?;
        let connection = self.view(&contact, |view| view.pending(Some(links.clone()))).await?;
        Ok(Response::Invitation {
            user: self.user(),
            conn_req_invitation: links.conn_full_link.clone(),
            conn_link_invitation: links,
            connection,
        })
    }

    pub(super) async fn connect_plan(&self, user: i64, link: &str) -> Outcome {
        self.require_user(Some(user))?;
        let link = one_of(link)?;
        let plan = match self.known(link).await? {
            Some(plan) => plan,
            None => {
                let preview = self.identity().agent().look_at_link(link).await?;
                let shown = preview.shown.and_then(|shown| serde_json::from_slice(&shown).ok());
                (preview.kind, LinkPlan::Ok { shown })
            }
        };
        let connection_plan = match plan {
            (LinkKind::Invitation, invitation_link_plan) => {
                ConnectionPlan::InvitationLink { invitation_link_plan }
            }
            (_, contact_address_plan) => ConnectionPlan::ContactAddress { contact_address_plan },
        };
        let conn_link = ConnectionLinks { conn_full_link: link.to_owned(), conn_short_link: None };
        Ok(Response::ConnectionPlan { user: self.user(), conn_link, connection_plan })
    }

    /// The plan of a link that is known without asking anybody.
    async fn known(&self, link: &str) -> Result<Option<(LinkKind, LinkPlan)>, Failure> {
        if let Some(address) = self.identity().address().await? {
            let links = self.address_links(&address)?;
            if links.conn_full_link == link || links.conn_short_link.as_deref() == Some(link) {
                return Ok(Some((LinkKind::Address, LinkPlan::OwnLink)));
            }
        }
        let contacts = self.identity().book().contacts().await?;
        if contacts.iter().any(|contact| contact.link.as_deref() == Some(link)) {
            return Ok(Some((LinkKind::Invitation, LinkPlan::OwnLink)));
        }
        let Some(contact) = self.joined(link).await? else { return Ok(None) };
        let is_known = contact.status == Status::Connected;
        let contact = self.contact(&contact).await?;
        let plan =
            if is_known { LinkPlan::Known { contact } } else { LinkPlan::ConnectingProhibit { contact } };
        Ok(Some((LinkKind::Invitation, plan)))
    }

    /// The contact that an invitation was used for.
    async fn joined(&self, link: &str) -> Result<Option<Contact>, Failure> {
        match join::invitation_id(link) {
            Some(invitation) => Ok(self.identity().book().by_invitation(&invitation).await?),
            None => Ok(None),
        }
    }

    pub(super) async fn connect(&self, user: Option<i64>, link: &str) -> Outcome {
        self.require_user(user)?;
        let link = one_of(link)?;
        if let Some(contact) = self.joined(link).await? {
            return Ok(Response::ContactAlreadyExists {
                user: self.user(),
                contact: self.contact(&contact).await?,
            });
        }
        if join::refuse_groups(link).is_err() {
            return Err(ErrorType::UnsupportedConnReq.into());
        }
        let contact = join::begin(link, None, None, self.identity()).await?;
        let connection = self.view(&contact, |view| view.pending(None)).await?;
        let user = self.user();
        Ok(match join::invitation_id(link) {
            Some(_) => Response::SentConfirmation { user, connection },
            None => Response::SentInvitation { user, connection },
        })
    }

    /// Somebody who asks, by the number or the name.
    async fn asking(&self, request: &Address) -> Result<Contact, Failure> {
        let contact = match self.find(request).await {
            Ok(contact) if contact.status == Status::Requested => Some(contact),
            Ok(_) | Err(Failure::Chat(_)) => None,
            Err(error) => return Err(error),
        };
        contact.ok_or_else(|| {
            let error = match request.clone() {
                Address::Number(contact_request_id) => {
                    StoreError::ContactRequestNotFound { contact_request_id }
                }
                Address::Name(contact_name) => StoreError::ContactRequestNotFoundByName { contact_name },
            };
            error.into()
        })
    }

    pub(super) async fn accept(&self, request: &Address) -> Outcome {
        let contact = self.asking(request).await?;
        self.identity().accept_request(&contact).await?;
        let contact = self.find(&Address::Number(contact.id)).await?;
        Ok(Response::AcceptingContactRequest { user: self.user(), contact: self.contact(&contact).await? })
    }

    pub(super) async fn reject(&self, request: &Address) -> Outcome {
        let contact = self.asking(request).await?;
        let contact_request = self.view(&contact, |view| Box::new(view.request())).await?;
        self.identity().refuse_request(&contact).await?;
        Ok(Response::ContactRequestRejected { user: self.user(), contact_request })
    }
}

/// A link in one of its forms: both may be given.
fn one_of(links: &str) -> Result<&str, Failure> {
    links.split_whitespace().next().ok_or_else(|| ErrorType::InvalidConnReq.into())
}
