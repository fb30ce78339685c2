//! The users of an agent: whom its connections belong to, and on which relays theirs are made.

use crate::error::AgentError;
use crate::id::UserId;
use crate::relay_set::RelayEntry;
use crate::steps::Steps;
use crate::store::StoredUser;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Relays = Arc<[RelayEntry]>;

/// All users that are not being deleted.
pub(crate) struct Users {
    /// Those of users that have none of their own.
    configured: Relays,
    /// With the relays of their own.
    users: Mutex<BTreeMap<UserId, Option<Relays>>>,
}

impl Users {
    pub(super) async fn load(steps: &Steps, configured: &[RelayEntry]) -> Result<Self, AgentError> {
        let users = steps.store.users().await?.into_iter();
        let users = users.map(|StoredUser { id, relays }| (id, relays.map(Relays::from))).collect();
        Ok(Self { configured: configured.into(), users: Mutex::new(users) })
    }

    /// There is one more.
    pub(super) fn add(&self, user: UserId, relays: Option<Vec<RelayEntry>>) {
        self.lock().insert(user, relays.map(Relays::from));
    }

    /// A user has other relays, unless it is gone.
    pub(super) fn replace(&self, user: UserId, relays: Option<Vec<RelayEntry>>) {
        if let Some(own) = self.lock().get_mut(&user) {
            *own = relays.map(Relays::from);
        }
    }

    /// A user is being deleted.
    pub(super) fn remove(&self, user: UserId) {
        self.lock().remove(&user);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<UserId, Option<Relays>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The relays on which queues of a user are made, and through which its messages go. None of one that is gone.
    pub(crate) fn relays(&self, user: UserId) -> Relays {
        match self.lock().get(&user) {
            Some(own) => own.clone().unwrap_or_else(|| self.configured.clone()),
            None => Relays::from([]),
        }
    }

    /// All, with the relays that they have of their own.
    pub(crate) fn list(&self) -> Vec<(UserId, Option<Relays>)> {
        self.lock().iter().map(|(id, relays)| (*id, relays.clone())).collect()
    }

    /// Refuses a user that is not there.
    pub(crate) fn check(&self, user: UserId) -> Result<(), AgentError> {
        match self.lock().contains_key(&user) {
            true => Ok(()),
            false => Err(AgentError::UnknownUser(user)),
        }
    }
}
