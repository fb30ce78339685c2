//! Views of contacts and of the user that were made before, as long as what they are made of is the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use smp_bot::types::{Contact, Shared, User, View};
use smp_chat::Person;
use smp_protocol::chat::Profile;

/// Views of contacts in memory; those of others are made anew.
const MAX_CONTACTS: usize = 1024;
/// Longest picture in bytes of a profile whose view is kept.
const MAX_PICTURE: usize = 1024;

/// Views in memory.
#[derive(Default)]
pub(super) struct Views {
    contacts: Mutex<HashMap<i64, KeptView>>,
    user: Mutex<Option<(Arc<Profile>, Shared<User>)>>,
}

/// A view, and what it was made of.
struct KeptView {
    person: Person,
    own: Arc<Profile>,
    view: Shared<Contact>,
}

impl Views {
    /// The contact, to whom we show this profile.
    pub(super) fn contact(&self, person: &Person, own: &Arc<Profile>) -> Shared<Contact> {
        let mut contacts = self.contacts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = contacts.get(&person.contact.id);
        if let Some(kept) = known.filter(|kept| kept.person == *person && Arc::ptr_eq(&kept.own, own)) {
            return kept.view.clone();
        }
        let profile = person.profile.as_ref();
        let view = Shared::new(View { contact: &person.contact, profile, own }.contact());
        let picture = profile.and_then(|profile| profile.image.as_ref());
        if picture.is_none_or(|picture| picture.len() <= MAX_PICTURE) {
            if contacts.len() >= MAX_CONTACTS {
                contacts.clear();
            }
            let kept = KeptView { person: person.clone(), own: own.clone(), view: view.clone() };
            contacts.insert(person.contact.id, kept);
        }
        view
    }

    /// The user, who shows this profile.
    pub(super) fn user(&self, own: &Arc<Profile>, receipts: bool) -> Shared<User> {
        let mut user = self.user.lock().unwrap_or_else(PoisonError::into_inner);
        match &*user {
            Some((shown, view)) if Arc::ptr_eq(shown, own) => view.clone(),
            _ => {
                let view = Shared::new(User::of(own, receipts));
                *user = Some((own.clone(), view.clone()));
                view
            }
        }
    }
}
