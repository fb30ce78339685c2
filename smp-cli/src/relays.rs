//! Addresses of relays, as a user gives them.

use anyhow::Context as _;
use smp_protocol::address::{RelayAddress, XftpAddress};
use smp_protocol::pasted;

/// Reads relay addresses, with an error that says which one is wrong and does not show it: it may have a password.
pub(crate) fn parse_relays(texts: &[String]) -> anyhow::Result<Vec<RelayAddress>> {
    let parse = |(number, text): (usize, &String)| {
        pasted::relay_address(text).with_context(|| {
            let which =
                if texts.len() == 1 { "The relay".to_owned() } else { format!("Relay number {number}") };
            format!("{which} cannot be used; copy its address as `smp-server init` prints it")
        })
    };
    (1..).zip(texts).map(parse).collect()
}

/// Whether an address is one of a file relay.
pub(crate) fn is_for_files(text: &str) -> bool {
    text.trim().starts_with("xftp://")
}

/// Reads addresses of file relays, with an error that shows none: it may have a password.
pub(crate) fn parse_file_relays(texts: &[String]) -> anyhow::Result<Vec<XftpAddress>> {
    let parse = |text: &String| {
        text.trim().parse().ok().context(
            "The address of a file relay is xftp://FINGERPRINT[:PASSWORD]@HOST[:PORT]; copy it as its operator gives it out",
        )
    };
    texts.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_relay_is_named_without_its_password() {
        let relays = ["smp://EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI=@a", "smp://x:secret#host"];
        let error = format!("{:#}", parse_relays(&relays.map(str::to_owned)).unwrap_err());
        assert!(error.contains("Relay number 2") && !error.contains("secret"), "{error}");
    }
}
