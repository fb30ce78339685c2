//! Texts that are stored once for many connections.

use super::*;

const CONNECTIONS: usize = 100;
const BODY: [u8; 13_000] = [7; 13_000];

/// Texts that are stored, and the bytes of all bodies that wait.
async fn in_file(dir: &Path) -> (i64, i64) {
    let options = SqliteConnectOptions::new().filename(dir.join(DATABASE)).read_only(true);
    let mut db = options.connect().await.unwrap();
    let texts = sqlx::query_scalar("SELECT count(*) FROM shared_bodies").fetch_one(&mut db).await.unwrap();
    let sql = "SELECT coalesce(sum(length(content)), 0) FROM outgoing";
    (texts, sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap())
}

#[tokio::test]
async fn a_text_is_stored_once_until_the_last_has_sent_it() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let mut ids = Vec::new();
    for _ in 0..CONNECTIONS {
        ids.push(connected(&agent).await.1);
    }
    let nobody = ConnectionId::new(1_000_000);
    let handles = agent.send_to_many(&[&ids[..], &[nobody]].concat(), &BODY).await.unwrap();
    assert_eq!(handles.iter().filter(|handle| handle.is_ok()).count(), CONNECTIONS);
    assert!(matches!(handles.last(), Some(Err(AgentError::UnknownConnection(id))) if *id == nobody));
    let steps = &agent.engine().steps;
    steps.flush().await.unwrap();
    let (texts, bytes) = in_file(dir.path()).await;
    assert_eq!(texts, 1);
    assert!(bytes < (CONNECTIONS * 4_096) as i64, "{bytes} bytes");
    // One has sent it, one gives it up, one is deleted, the others' agent is opened again.
    let first = steps.next_outgoing(ids[0]).await.unwrap().unwrap();
    let text = steps.store.shared_body(first.outgoing.content.shared().unwrap()).await.unwrap().unwrap();
    assert!(text.as_slice() == BODY);
    let sent = change(steps, ids[0], |connection, request| {
        request.sent.push(first.row);
        connection.delivered(&first.outgoing, &mut Effects::default());
    });
    sent.await.durable().await.unwrap();
    agent.connection(ids[1]).give_up().await.unwrap();
    agent.connection(ids[2]).delete().await.unwrap();
    agent.shutdown().await;
    drop(agent);
    let (agent, _events) = open(dir.path()).await;
    assert_eq!(in_file(dir.path()).await.0, 1);
    for id in &ids[3..] {
        agent.connection(*id).give_up().await.unwrap();
    }
    assert_eq!(in_file(dir.path()).await, (0, 0));
}

/// The agent dies before a message refers to the text, or while more are to come.
#[tokio::test]
async fn a_text_that_nothing_refers_to_goes_when_the_agent_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    engine.steps.store.execute("INSERT INTO shared_bodies VALUES (7, x'00', 1)").await;
    agent.shutdown().await;
    drop((agent, engine));
    let (agent, _events) = open(dir.path()).await;
    assert_eq!(in_file(dir.path()).await.0, 0);
    // And one that is held goes once it is not.
    let shared = agent.engine().steps.share(b"text").await.unwrap();
    agent.connection(id).send_soon(b"text", Some(shared.id)).await.unwrap().1.durable().await.unwrap();
    agent.connection(id).give_up().await.unwrap();
    assert_eq!(in_file(dir.path()).await.0, 1);
    drop(shared);
    agent.engine().steps.flush().await.unwrap();
    assert_eq!(in_file(dir.path()).await.0, 0);
}
