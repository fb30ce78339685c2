//! Metrics, as a monitoring system reads them.

use std::{net::SocketAddr, time::Duration};

use smp_protocol::{command::Command, id::EntityId};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    proxying::{pfwd, prxy},
    support::{relay_with, send},
};

pub(crate) async fn get(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: relay\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[track_caller]
pub(crate) fn number(text: &str, name: &str) -> f64 {
    let line =
        text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {text}"));
    line.trim().parse().unwrap()
}

#[tokio::test]
async fn who_connects_and_says_nothing_does_not_keep_others() {
    let relay = relay_with(|config| config.metrics.listen = Some("127.0.0.1:0".parse().unwrap())).await;
    let address = relay.running.metrics_addr().unwrap();
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // Less than each of them may take.
    let answer = tokio::time::timeout(Duration::from_secs(4), get(address, "GET /metrics")).await;
    assert!(answer.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn it_is_ready_until_it_stops() {
    let relay = relay_with(|config| {
        config.metrics.listen = Some("127.0.0.1:0".parse().unwrap());
        config.limits.drain_timeout = Duration::from_secs(3_600);
    })
    .await;
    let address = relay.running.metrics_addr().unwrap();
    for path in ["/livez", "/readyz"] {
        assert!(get(address, &format!("GET {path}")).await.starts_with("HTTP/1.1 200"), "{path}");
        assert!(get(address, &format!("POST {path}")).await.starts_with("HTTP/1.1 405"), "{path}");
    }
    let client = relay.client().await;
    let queue = client.queue().await;
    let unready = async {
        loop {
            let answer = get(address, "GET /readyz").await;
            if !answer.starts_with("HTTP/1.1 200") {
                break answer;
            }
        }
    };
    tokio::select! {
        () = relay.running.drain() => panic!("a client is there"),
        answer = unready => assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("stopping\n"), "{answer}"),
    }
    assert!(get(address, "GET /livez").await.starts_with("HTTP/1.1 200"));
    // A client that is connected goes on until it is let go; nobody new is accepted.
    client.relay.send(None, EntityId::from(queue.sender()), send(b"hello")).await.unwrap();
    assert!(TcpStream::connect(relay.running.local_addrs()[0]).await.is_err());
    relay.running.shutdown().await.unwrap();
}

#[tokio::test]
async fn commands_and_messages_are_counted_and_nothing_is_named() {
    let relay = relay_with(|config| config.metrics.listen = Some("127.0.0.1:0".parse().unwrap())).await;
    let address = relay.running.metrics_addr().unwrap();
    let client = relay.client().await;
    let queue = client.queue().await;
    for _ in 0..3 {
        client.relay.send(None, EntityId::from(queue.sender()), send(b"hello")).await.unwrap();
    }
    client.relay.send(None, EntityId::from([9; 24]), send(b"nobody")).await.unwrap_err();
    client.relay.send(None, EntityId::empty(), Command::Ping).await.unwrap();

    let text = get(address, "GET /metrics").await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.contains("application/openmetrics-text") && text.ends_with("# EOF\n"), "{text}");
    for (name, expected) in [
        ("smp_server_connections_accepted_total ", 1.0),
        ("smp_server_connections ", 1.0),
        ("smp_server_subscriptions ", 1.0),
        ("smp_server_queues ", 1.0),
        ("smp_server_messages ", 3.0),
        ("smp_server_messages_accepted_total ", 3.0),
        ("smp_server_messages_delivered_total ", 1.0),
        ("smp_server_errors_total{error=\"AUTH\"} ", 1.0),
        ("smp_server_command_duration_seconds_count{command=\"SEND\"} ", 4.0),
        ("smp_server_command_duration_seconds_count{command=\"NEW\"} ", 1.0),
    ] {
        assert_eq!(number(&text, name), expected, "{name} {text}");
    }
    assert!(number(&text, "smp_server_resident_memory_bytes ") > 0.0);
    let labels = text.split('{').skip(1).filter_map(|rest| rest.split('=').next());
    let allowed = ["command", "error", "le"];
    assert!(labels.clone().count() > 0 && labels.clone().all(|label| allowed.contains(&label)), "{text}");

    assert!(get(address, "GET /").await.starts_with("HTTP/1.1 404"));
    assert!(get(address, "POST /metrics").await.starts_with("HTTP/1.1 405"));
    assert!(get(address, "nonsense").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn the_dashboard_asks_for_what_there_is() {
    let relay = relay_with(|config| config.metrics.listen = Some("127.0.0.1:0".parse().unwrap())).await;
    let client = relay.client().await;
    client.relay.send(None, EntityId::from([9; 24]), send(b"nobody")).await.unwrap_err();
    let session = prxy(&client, relay.running.address(), None).await.unwrap();
    pfwd(&client, &session, None, EntityId::from([9; 24]), send(b"nobody")).await.unwrap();
    let text = get(relay.running.metrics_addr().unwrap(), "GET /metrics").await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/grafana.json");
    let dashboard: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut count = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let name = &expression[expression.find("smp_server_").unwrap()..expression.find('{').unwrap()];
            assert!(
                text.lines()
                    .any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']))),
                "{name} in {text}"
            );
            count += 1;
        }
    }
    assert!(count > 20);
}
