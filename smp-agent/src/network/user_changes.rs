//! Adding, changing and deleting users.

use super::application::remove;
use super::engine::Engine;
use super::update::unless_gone;
use crate::error::AgentError;
use crate::id::UserId;
use crate::relay_set::RelayEntry;
use crate::session_key::Owner;
use crate::store::{Upkeep, UserChange};
use std::sync::Arc;

/// Adds a user.
pub(crate) async fn add(engine: &Engine, relays: Option<Vec<RelayEntry>>) -> Result<UserId, AgentError> {
    engine.steps.reserve.check()?;
    let id = engine.steps.next_user();
    change(engine, UserChange::Added(id, relays.clone())).await?;
    engine.users.add(id, relays);
    Ok(id)
}

/// Gives a user other relays. Queues that are there stay where they are.
pub(crate) async fn set_relays(
    engine: &Engine,
    user: UserId,
    relays: Option<Vec<RelayEntry>>,
) -> Result<(), AgentError> {
    engine.users.check(user)?;
    change(engine, UserChange::Relays(user, relays.clone())).await?;
    engine.users.replace(user, relays);
    Ok(())
}

/// Deletes a user with all its connections. If the agent dies meanwhile, it goes on with that when it is opened.
pub(crate) async fn delete(engine: &Arc<Engine>, user: UserId) -> Result<(), AgentError> {
    if user == UserId::DEFAULT {
        return Err(AgentError::DefaultUser);
    }
    engine.users.check(user)?;
    change(engine, UserChange::Deleted(user)).await?;
    engine.users.remove(user);
    remove_deleted(engine).await
}

/// Removes a connection again that was made while its user was being deleted.
pub(crate) async fn still_wanted(engine: &Arc<Engine>, owner: Owner) -> Result<(), AgentError> {
    let wanted = engine.users.check(owner.user);
    if wanted.is_err() {
        unless_gone(remove(engine, owner.connection).await)?;
    }
    wanted
}

/// Removes the connections of users that are being deleted, and then those users.
pub(super) async fn remove_deleted(engine: &Arc<Engine>) -> Result<(), AgentError> {
    // Those that are on their way to the disk, too.
    engine.steps.flush().await?;
    for connection in engine.steps.store.connections_of_deleted_users().await? {
        unless_gone(remove(engine, connection).await)?;
    }
    change(engine, UserChange::Gone).await
}

async fn change(engine: &Engine, change: UserChange) -> Result<(), AgentError> {
    engine.steps.upkeep(Upkeep::User(change))?.durable().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Agent;
    use crate::config::AgentConfig;

    #[tokio::test]
    async fn what_is_left_of_a_deleted_user_goes_when_the_agent_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Agent::open(AgentConfig::new(dir.path(), Vec::<RelayEntry>::new()));
        let (agent, events) = open().await.unwrap();
        let engine = agent.engine().clone();
        let user = agent.create_user(None).await.unwrap();
        let mut ids = Vec::new();
        for user in [UserId::DEFAULT, user] {
            let (connection, _) = crate::connection::tests::connected_sides();
            let (id, commit) = engine.steps.create(connection.of(user)).await.unwrap();
            commit.durable().await.unwrap();
            ids.push(id);
        }
        // It dies after the first step of the deletion.
        change(&engine, UserChange::Deleted(user)).await.unwrap();
        agent.shutdown().await;
        drop((agent, events, engine));

        let (agent, _events) = open().await.unwrap();
        let left = agent.connections().await.unwrap();
        assert_eq!(left.iter().map(|connection| connection.id).collect::<Vec<_>>(), ids[..1]);
        assert_eq!(agent.users().len(), 1);
        assert_eq!(agent.engine().steps.store.deleted_queues(0, 10).await.unwrap().len(), 1);
        // One that was made while the user was being deleted is removed again.
        let (connection, _) = crate::connection::tests::connected_sides();
        let engine = agent.engine();
        let (id, commit) = engine.steps.create(connection.of(user)).await.unwrap();
        commit.durable().await.unwrap();
        let refused = still_wanted(engine, Owner { user, connection: id }).await;
        assert!(matches!(refused, Err(AgentError::UnknownUser(_))));
        assert_eq!(agent.connections().await.unwrap().len(), 1);
    }
}
