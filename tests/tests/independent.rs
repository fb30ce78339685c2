//! A client that shares no code with us (`independent/smp_client.py`) talks with our relay in every version.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]

use std::process::Stdio;

use smp_server::config::StoreKind;
use smp_tests::test_relay::TestRelay;

/// The script ends with this if a Python package is missing.
const MISSING_PACKAGE: i32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_python_is_served() {
    let relay = TestRelay::start(StoreKind::Memory, None).await.unwrap();
    let address = relay.target().address;
    let listening = relay.running.local_addrs()[0];
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/independent/smp_client.py");
    let running = tokio::process::Command::new("python3")
        .arg(script)
        .args([listening.ip().to_string(), listening.port().to_string()])
        .arg(smp_crypto::base64url::encode(&address.fingerprint))
        .arg("6-19")
        .stdin(Stdio::null())
        .output();
    let output = match running.await {
        Ok(output) => output,
        Err(error) => return println!("skipped: python3 cannot be run ({error})"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(MISSING_PACKAGE) {
        return println!("skipped: {text}");
    }
    print!("{text}");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
