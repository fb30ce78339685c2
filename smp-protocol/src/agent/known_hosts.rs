//! Onion hosts of relays that are older than addresses with several hosts.

use crate::address::{Host, RelayAddress};
use crate::encoding::NonEmpty;

/// Relays whose addresses of client version 1 are read with their onion host added.
const ONION_HOSTS: [(&str, &str); 6] = [
    ("smp4.simplex.im", "o5vmywmrnaxalvz6wi3zicyftgio6psuvyniis6gco6bp6ekl4cqj4id.onion"),
    ("smp5.simplex.im", "jjbyvoemxysm7qxap7m5d5m35jzv5qq6gnlv7s4rsn7tdwwmuqciwpid.onion"),
    ("smp6.simplex.im", "bylepyau3ty4czmn77q4fglvperknl4bi2eb2fdy2bh4jxtf32kf73yd.onion"),
    ("smp8.simplex.im", "beccx4yfxxbvyhqypaavemqurytl6hozr47wfc7uuecacjqdvwpw2xid.onion"),
    ("smp9.simplex.im", "jssqzccmrcws6bhmn77vgmhfjmhwlyr3u7puw4erkyoosywgl67slqqd.onion"),
    ("smp10.simplex.im", "rb2pbttocvnbrngnwziclp2f4ckjq65kebafws6g4hy22cdaiv5dwjqd.onion"),
];

/// The relay with its onion host, if the address has only the other host of a known relay.
pub(super) fn with_known_onion_host(relay: RelayAddress) -> RelayAddress {
    let [Host::Domain(name)] = relay.hosts.as_slice() else { return relay };
    let onion =
        ONION_HOSTS.iter().find(|(host, _)| *host == name.canonical().as_str()).map(|(_, onion)| *onion);
    let Some(Ok(onion)) = onion.map(str::parse::<Host>) else { return relay };
    match NonEmpty::new(vec![relay.hosts.first().clone(), onion]) {
        Some(hosts) => RelayAddress { hosts, ..relay },
        None => relay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_single_hosts_of_known_relays_change() {
        let relay = |hosts: &str| -> RelayAddress {
            format!("smp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@{hosts}:5223").parse().unwrap()
        };
        for (host, onion) in ONION_HOSTS {
            assert_eq!(with_known_onion_host(relay(host)), relay(&format!("{host},{onion}")));
        }
        for hosts in ["smp7.simplex.im", "smp4.simplex.im,smp.example.com", "192.0.2.7"] {
            assert_eq!(with_known_onion_host(relay(hosts)), relay(hosts));
        }
    }
}
