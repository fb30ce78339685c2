//! `smp demo`: the whole system on this machine, with a crash in the middle. Leaves nothing behind.

mod person;
mod relay;

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::json;

use self::person::Person;
use self::relay::RelayProcess;
pub(crate) use self::relay::run as run_relay;
use crate::args::DemoArgs;
use crate::exit::Exit;
use crate::output::{Code, Output};

/// How long any one step may take; all together take a few seconds.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the demonstration. The directory and the relay go away with it, also when it fails or is interrupted.
pub(crate) async fn run(args: &DemoArgs, output: &Output) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let folder = tempfile::Builder::new().prefix("smp-demo-").tempdir().context(
        "The demonstration needs a directory for temporary files; set TMPDIR to one that is writable",
    )?;
    let outcome = tokio::select! {
        outcome = story(args, folder.path(), output) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let path = folder.path().display().to_string();
    folder.close().with_context(|| format!("{path} could not be removed; remove it by hand"))?;
    outcome?;
    let seconds = started.elapsed().as_secs_f64();
    let sentence = format!("\nDone in {seconds:.1} s. Nothing is left behind: {path} is removed.");
    output.result("done", json!({ "seconds": seconds }), &sentence);
    Ok(Exit::DONE)
}

async fn story(args: &DemoArgs, folder: &std::path::Path, output: &Output) -> anyhow::Result<()> {
    let mut relay = RelayProcess::create(&folder.join("relay"), TIMEOUT).await?;
    let address = relay.address().to_owned();
    let sentence = format!("1. A relay runs on this machine, with an embedded database:\n   {address}");
    output.result("relay", json!({ "address": address }), &sentence);

    let mut alice = Person::create("alice", &folder.join("alice"), &address).await?;
    let mut bob = Person::create("bob", &folder.join("bob"), &address).await?;
    connect(&mut alice, &mut bob, output).await?;

    let title = "\n4. They talk. Times are from one agent's call to the other agent's event:";
    output.result("talking", json!({}), title);
    for number in 1..=args.messages {
        say(&alice, &mut bob, &format!("hello bob, this is message {number}"), output).await?;
        say(&bob, &mut alice, &format!("hello alice, I got number {number}"), output).await?;
    }
    crash(args, &mut relay, &mut alice, &mut bob, output).await?;

    alice.close().await;
    bob.close().await;
    relay.kill().await
}

/// Steps 2 and 3: invitation, link, QR code, connection, security codes.
async fn connect(alice: &mut Person, bob: &mut Person, output: &Output) -> anyhow::Result<()> {
    let link = alice.invite().await?;
    let sentence = format!("\n2. Alice invites. What she gives to Bob, as text or as a picture:\n\n{link}\n");
    output.result("invitation", json!({ "link": link }), &sentence);
    output.code(&Code::link(&link, None))?;

    let started = Instant::now();
    bob.join(&link).await?;
    tokio::try_join!(alice.until_connected(TIMEOUT), bob.until_connected(TIMEOUT))?;
    let millis = started.elapsed().as_secs_f64() * 1000.0;
    let (ours, theirs) = (alice.security_code().await?, bob.security_code().await?);
    let sentence = format!(
        "\n3. Bob joins. Both are connected after {millis:.0} ms, and see the same security code:\n   alice  {ours}\n   bob    {theirs}"
    );
    let fields = json!({ "milliseconds": millis, "alice": ours, "bob": theirs, "equal": ours == theirs });
    output.result("connected", fields, &sentence);
    ensure!(ours == theirs, "the security codes differ");
    Ok(())
}

/// One message, with the time that it took.
async fn say(from: &Person, to: &mut Person, text: &str, output: &Output) -> anyhow::Result<()> {
    let started = Instant::now();
    from.send(text).await?;
    let received = to.receive(TIMEOUT).await?;
    let millis = started.elapsed().as_secs_f64() * 1000.0;
    ensure!(received == text, "another text arrived than was sent");
    let sentence = format!("   {:>5} → {:<5} {millis:6.1} ms  {text}", from.name(), to.name());
    let fields = json!({ "from": from.name(), "to": to.name(), "text": text, "milliseconds": millis });
    output.result("message", fields, &sentence);
    Ok(())
}

/// Step 5: the relay dies with messages on their way. Messages that it took are there afterwards, the others wait with
/// the senders.
async fn crash(
    args: &DemoArgs,
    relay: &mut RelayProcess,
    alice: &mut Person,
    bob: &mut Person,
    output: &Output,
) -> anyhow::Result<()> {
    let sentence = "\n5. The relay is killed (SIGKILL) while messages are on their way, and started again:";
    output.result("crash", json!({}), sentence);
    let texts = |from: &str| (1..=args.messages).map(|n| format!("{from}'s {n}")).collect::<Vec<_>>();
    let (from_alice, from_bob) = (texts("alice"), texts("bob"));
    let started = Instant::now();
    for (index, (a, b)) in from_alice.iter().zip(&from_bob).enumerate() {
        alice.send(a).await?;
        bob.send(b).await?;
        if index == from_alice.len() / 2 {
            relay.kill().await?;
        }
    }
    relay.start(TIMEOUT).await?;
    let at_bob = bob.receive_all(from_alice.len(), TIMEOUT).await?;
    let at_alice = alice.receive_all(from_bob.len(), TIMEOUT).await?;
    if at_bob != from_alice || at_alice != from_bob {
        bail!("messages were lost, repeated or reordered: {at_bob:?}, {at_alice:?}");
    }
    let millis = started.elapsed().as_secs_f64() * 1000.0;
    let count = at_bob.len() + at_alice.len();
    let sentence = format!(
        "   {count} of {count} messages arrived, in order, none twice, {millis:.0} ms after the first was sent."
    );
    output.result("recovered", json!({ "messages": count, "milliseconds": millis }), &sentence);
    // The relay is the same one: the conversation simply goes on.
    say(alice, bob, "that was quick", output).await?;
    say(bob, alice, "what was?", output).await
}
