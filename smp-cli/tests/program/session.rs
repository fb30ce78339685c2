//! The session in the documentation is what the program prints.

use std::process::Command;

use crate::common::TestRelay;

#[test]
fn the_session_in_the_documentation_is_what_is_printed_now() {
    if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no python3 here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let compared = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/session/record.py"))
        .args(["--check", "--smp", env!("CARGO_BIN_EXE_smp"), "--relay", &relay.address])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&compared.stdout);
    assert!(compared.status.success(), "record it again with docs/session/record.py:\n{said}\n{compared:?}");
}
