//! User names and passwords by which a SOCKS proxy keeps streams apart: Tor gives those with different ones different circuits.
//!
//! A session has the same ones as long as the agent runs: a session that ended comes back over the circuit that is there, instead of building
//! one for each attempt. Two sessions never have the same ones, nor have two runs of the agent.

use crate::id::ConnectionId;
use crate::session_key::SessionKey;
use smp_crypto::hkdf::hkdf_sha512;
use smp_protocol::encoding;
use smp_transport::dial::Isolation;
use zeroize::Zeroizing;

/// Bytes of a user name, and of a password; written in hexadecimal digits.
const LENGTH: usize = 16;
const INFO: &[u8] = b"SOCKS isolation";

/// Of this they are made; without it they say nothing.
pub(super) struct IsolationSecret(Zeroizing<[u8; 32]>);

impl IsolationSecret {
    pub(super) fn generate(rng: &mut impl rand::Rng) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut secret[..]);
        Self(secret)
    }

    /// Those of a session.
    pub(super) fn of(&self, session: &SessionKey) -> Option<Isolation> {
        let user = session.user.number().to_be_bytes();
        let connection = session.connection.map_or(0, ConnectionId::number).to_be_bytes();
        let name = [&user[..], &connection, &encoding::to_bytes(&session.relay)].concat();
        let bytes: Zeroizing<[u8; 2 * LENGTH]> = hkdf_sha512(&self.0[..], &name, INFO);
        let (user, password) = bytes.split_at(LENGTH);
        Isolation::new(hex(user), hex(password)).ok()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::UserId;

    #[test]
    fn each_session_has_its_own_and_keeps_it() {
        let relay = |number: u8| {
            let address = "smp://tmJ4adaRel6G5gDls7oz4uREc6BhVHmRqI3VwjRE5Bs=@relay.example";
            let address: smp_protocol::address::RelayAddress = address.parse().unwrap();
            smp_protocol::address::RelayAddress { fingerprint: [number; 32], ..address }
        };
        let key = |relay_: u8, user, connection: Option<i64>| SessionKey {
            relay: relay(relay_),
            user: UserId::new(user),
            connection: connection.map(ConnectionId::new),
        };
        let sessions =
            [key(1, 1, None), key(2, 1, None), key(1, 2, None), key(1, 1, Some(1)), key(1, 1, Some(2))];
        let secret = IsolationSecret::generate(&mut rand::rng());
        let other_run = IsolationSecret::generate(&mut rand::rng());
        let mut seen = Vec::new();
        for session in &sessions {
            let isolation = secret.of(session).unwrap();
            assert_eq!(Some(&isolation), secret.of(session).as_ref());
            for run in [&secret, &other_run] {
                seen.push(run.of(session).unwrap());
            }
        }
        for (place, one) in seen.iter().enumerate() {
            assert!(seen[..place].iter().all(|other| other != one));
        }
    }
}
