//! The example `echo_bot`, as a program of its own that is killed in between.

use crate::harness::{Peer, TestRelay};
use smp_agent::Event;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Where `cargo test --workspace` puts it. Cargo makes no examples of another package for `-p smp-tests`.
fn program() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("examples/echo_bot");
    path.is_file().then_some(path)
}

fn start(program: &Path, dir: &Path, relay: &TestRelay) -> Child {
    let mut command = Command::new(program);
    command.arg(dir).arg(relay.address().to_string()).stdout(Stdio::piped()).kill_on_drop(true);
    command.spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_echo_bot_answers_each_message_once_though_it_is_killed() {
    let Some(program) = program() else {
        // Past the harness, which keeps what tests print.
        let _ = writeln!(std::io::stdout(), "skipped: cargo build --workspace --examples makes the echo bot");
        return;
    };
    let relay = TestRelay::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut bot = start(&program, dir.path(), &relay);
    let link = BufReader::new(bot.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    let mut alice = Peer::open(&[&relay]).await;
    let connection = alice.agent.join(&link, b"alice").await.unwrap();
    alice.until(|event| *event == Event::Connected { connection }).await;
    for text in ["one", "two", "three"] {
        alice.agent.connection(connection).send(text.as_bytes()).await.unwrap();
        bot.kill().await.unwrap();
        bot = start(&program, dir.path(), &relay);
        assert_eq!(alice.texts(1).await, [text]);
    }
}
