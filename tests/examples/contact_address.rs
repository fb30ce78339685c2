//! A contact address: anybody who has its link asks, and its owner accepts or rejects.
//!
//! `cargo run -p smp-tests --example contact_address`

mod common;

use anyhow::{Context as _, Result};
use common::{connected, message, next, open, say};
use smp_agent::{Event, LinkKind};
use smp_server::config::StoreKind;
use smp_tests::test_relay::TestRelay;

#[tokio::main]
async fn main() -> Result<()> {
    let relay = TestRelay::start(StoreKind::Memory, None).await?;
    let dirs = [tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?];
    let (shop, mut shops_events) = open(dirs[0].path(), relay.running.address()).await?;
    let (carol, mut carols_events) = open(dirs[1].path(), relay.running.address()).await?;
    let (spammer, _) = open(dirs[2].path(), relay.running.address()).await?;

    let (address, link) = shop.create_address(b"The flower shop", None).await?;
    let link = link.short.context("this relay knows short links")?.to_string();
    println!("The shop's address: {link}");

    let preview = carol.look_at_link(&link).await?;
    assert_eq!(preview.kind, LinkKind::Address);
    println!("Carol sees: {}", String::from_utf8_lossy(&preview.shown.unwrap_or_default()));
    let to_shop = carol.join(&link, b"Carol").await?;
    spammer.join(&link, b"Cheap pills").await?;

    for _ in 0..2 {
        let (request, name) = next(&mut shops_events, |event| match event {
            Event::Request { connection, info, .. } => {
                Some((*connection, String::from_utf8_lossy(info).into_owned()))
            }
            _ => None,
        })
        .await?;
        match name.as_str() {
            "Carol" => shop.connection(request).accept(b"The flower shop").await?,
            _ => shop.connection(request).reject().await?,
        }
        println!("The shop has decided about {name}");
    }
    connected(&mut carols_events).await?;
    say(&carol, to_shop, "Twelve tulips, please").await?;
    println!("The shop reads: {}", message(&mut shops_events).await?);

    shop.connection(address).delete().await?;
    println!("The address is gone; Carol stays connected");
    for agent in [shop, carol, spammer] {
        agent.shutdown().await;
    }
    Ok(())
}
