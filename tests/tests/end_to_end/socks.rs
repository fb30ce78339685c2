//! A SOCKS5 proxy that remembers what it was asked for.

use crate::harness::TestRelay;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// User names that a SOCKS proxy has seen, with the destinations.
pub(crate) type Seen = Arc<Mutex<HashSet<(Vec<u8>, String)>>>;

/// A SOCKS5 proxy that wants a user name, and has one destination whatever it is asked for.
pub(crate) async fn socks_proxy(to: SocketAddr) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap().to_string(), Seen::default());
    let seen_ = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = seen_.clone();
            tokio::spawn(async move {
                // A client that leaves early ends its own stream only.
                let _ = serve(stream, to, &seen).await;
            });
        }
    });
    (address, seen)
}

async fn serve(mut stream: TcpStream, to: SocketAddr, seen: &Seen) -> std::io::Result<()> {
    let mut greeting = [0; 3];
    stream.read_exact(&mut greeting).await?;
    assert_eq!(greeting, [5, 1, 2]);
    stream.write_all(&[5, 2]).await?;
    let mut user = Vec::new();
    assert_eq!(stream.read_u8().await?, 1);
    for _ in 0..2 {
        let mut part = vec![0; stream.read_u8().await?.into()];
        stream.read_exact(&mut part).await?;
        user.push(part);
    }
    stream.write_all(&[1, 0]).await?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let host = if request[3] == 3 {
        let mut name = vec![0; stream.read_u8().await?.into()];
        stream.read_exact(&mut name).await?;
        String::from_utf8(name).unwrap()
    } else {
        let mut address = [0; 4];
        stream.read_exact(&mut address).await?;
        std::net::Ipv4Addr::from(address).to_string()
    };
    stream.read_u16().await?;
    seen.lock().unwrap().insert((user.concat(), host));
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let mut relay = TcpStream::connect(to).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut relay).await?;
    Ok(())
}

/// Where a relay listens.
pub(crate) fn socket(relay: &TestRelay) -> SocketAddr {
    SocketAddr::new([127, 0, 0, 1].into(), relay.address().port.unwrap())
}
