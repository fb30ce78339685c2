//! Databases of earlier versions are read.

use super::SCHEMA_VERSION;
use crate::agent::Agent;
use crate::config::AgentConfig;
use crate::data_dir::DATABASE;
use crate::event::Event;
use crate::id::{ConnectionId, MessageId, UserId};
use crate::store::QueueRow;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use std::path::Path;

const EARLIER: [&str; SCHEMA_VERSION - 1] = [
    include_str!("version_1.sql"),
    include_str!("version_2.sql"),
    include_str!("version_3.sql"),
    include_str!("version_4.sql"),
];

async fn open(dir: &Path) -> (Agent, crate::Events) {
    Agent::open(AgentConfig::new(dir, Vec::<crate::RelayEntry>::new())).await.unwrap()
}

async fn connect(dir: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(dir.join(DATABASE)).create_if_missing(true);
    options.connect().await.unwrap()
}

/// The columns and keys of all tables.
async fn tables(db: &mut SqliteConnection) -> Vec<String> {
    let sql = "SELECT t.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || c.pk AS line
        FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'
        UNION ALL SELECT name || ' on ' || tbl_name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL
        ORDER BY line";
    let rows = sqlx::query(sql).fetch_all(db).await.unwrap();
    rows.iter().map(|row| row.get("line")).collect()
}

/// The file of an earlier version: a connection with a message that came, one that was sent, and one that waits to be sent.
async fn fill(db: &mut SqliteConnection) {
    let (connection, _) = crate::connection::tests::connected_sides();
    let queues = QueueRow::all(&connection);
    let (state, position) = (connection.state_bytes().unwrap(), connection.position_bytes().unwrap());
    let sql =
        "INSERT INTO connections (id, state, busy, joined, unfinished, made_on) VALUES (3, ?, 0, 0, 0, 0)";
    sqlx::query(sql).bind(state.to_vec()).execute(&mut *db).await.unwrap();
    let sql = "INSERT INTO positions (connection_id, position) VALUES (3, ?)";
    sqlx::query(sql).bind(position.to_vec()).execute(&mut *db).await.unwrap();
    for queue in queues {
        let sql = "INSERT INTO receive_queues (connection_id, relay, recipient_id, recipient_key, sender_id) VALUES (3, ?, ?, ?, ?)";
        let query = sqlx::query(sql).bind(queue.relay).bind(queue.recipient_id);
        query.bind(queue.recipient_key.to_vec()).bind(queue.sender_id).execute(&mut *db).await.unwrap();
    }
    let sent = Event::Sent { connection: ConnectionId::new(3), id: MessageId::new(1) };
    let sql = "INSERT INTO events VALUES (9, 3, NULL, ?, x'')";
    sqlx::query(sql).bind(serde_json::to_string(&sent).unwrap()).execute(&mut *db).await.unwrap();
    let sql = "SELECT count(*) FROM pragma_table_info('received_messages') WHERE name = 'number'";
    let ordered: i64 = sqlx::query_scalar(sql).fetch_one(&mut *db).await.unwrap();
    let sql = match ordered {
        0 => "INSERT INTO received_messages (connection_id, hash, received_on) VALUES (3, ?, 0)",
        _ => "INSERT INTO received_messages (connection_id, number, hash, received_on) VALUES (3, 0, ?, 0)",
    };
    sqlx::query(sql).bind(vec![7; 16]).execute(&mut *db).await.unwrap();
    let sql = "INSERT INTO sent_messages VALUES (3, 1, 1, x'01', 0, 0)";
    sqlx::query(sql).execute(&mut *db).await.unwrap();
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'relays_down'";
    let has_troubles: i64 = sqlx::query_scalar(sql).fetch_one(&mut *db).await.unwrap();
    if ordered > 0 && has_troubles == 0 {
        // Later files of version 3 had these tables, too.
        let sql = "CREATE TABLE relays_down (relay BLOB PRIMARY KEY, since INTEGER NOT NULL, error TEXT NOT NULL) STRICT;
            INSERT INTO relays_down SELECT relay, 77, '\"Timeout\"' FROM receive_queues;";
        sqlx::raw_sql(sql).execute(&mut *db).await.unwrap();
    }
}

#[tokio::test]
async fn databases_of_earlier_versions_are_read() {
    let new = tempfile::tempdir().unwrap();
    open(new.path()).await.0.shutdown().await;
    let expected = tables(&mut connect(new.path()).await).await;
    for schema in EARLIER {
        let dir = tempfile::tempdir().unwrap();
        let mut db = connect(dir.path()).await;
        sqlx::raw_sql(schema).execute(&mut db).await.unwrap();
        fill(&mut db).await;
        db.close().await.unwrap();

        let (agent, mut events) = open(dir.path()).await;
        let id = ConnectionId::new(3);
        let connected = agent.connection(id).summary().await.unwrap().unwrap();
        assert_eq!((connected.status, connected.user), (crate::ConnectionStatus::Connected, UserId::DEFAULT));
        let ours = agent.user(UserId::DEFAULT).connections().await.unwrap();
        assert_eq!(ours.iter().map(|connection| connection.id).collect::<Vec<_>>(), [id]);
        let delivery = events.next().await.unwrap().unwrap();
        assert_eq!(delivery.event, Event::Sent { connection: id, id: MessageId::new(1) });
        delivery.done().await.unwrap();
        let steps = &agent.engine().steps;
        assert!(steps.store.has_received(id, &[7; 32]).await.unwrap());
        let step = steps.step(id, |_, request| {
            request.received = Some([8; 32]);
            Ok(())
        });
        step.await.unwrap().1.durable().await.unwrap();
        assert!(steps.store.has_received(id, &[8; 32]).await.unwrap());
        agent.connection(id).send(b"later").await.unwrap();
        agent.shutdown().await;
        drop((agent, events));

        let mut db = connect(dir.path()).await;
        assert_eq!(tables(&mut db).await, expected);
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut db).await.unwrap();
        assert_eq!(version, SCHEMA_VERSION as i64);
        if schema.contains("user_version = 3") {
            let sql = "SELECT since FROM relays_down WHERE user_id = 1 AND connection_id = 0";
            assert_eq!(sqlx::query_scalar::<_, i64>(sql).fetch_all(&mut db).await.unwrap(), [77]);
        }
        db.close().await.unwrap();
    }
}
