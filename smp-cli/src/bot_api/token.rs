//! The token of a client: in a header of its own, as the password of a URL, or in the query of one, as not every SDK can send headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smp_crypto::hash::sha256;
use subtle::ConstantTimeEq as _;
use tokio_tungstenite::tungstenite::handshake::server::Request;
use tokio_tungstenite::tungstenite::http::header;
use zeroize::Zeroizing;

/// The parameter of the query that may have the token.
const PARAMETER: &str = "token";

/// Whether a request has this token.
pub(super) fn has(request: &Request, token: &str) -> bool {
    let Some(given) = given(request) else { return false };
    // Of the hashes, so that nothing is learned from how long it takes.
    sha256(&given).ct_eq(&sha256(token.as_bytes())).into()
}

fn given(request: &Request) -> Option<Zeroizing<Vec<u8>>> {
    let Some(authorization) = request.headers().get(header::AUTHORIZATION) else {
        let properties = request.uri().query()?.split('&');
        let token =
            properties.filter_map(|property| property.split_once('=')).find(|(name, _)| *name == PARAMETER);
        return token.map(|(_, token)| Zeroizing::new(token.as_bytes().to_vec()));
    };
    let (scheme, value) = authorization.to_str().ok()?.split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Zeroizing::new(value.as_bytes().to_vec()));
    }
    // `ws://bot:TOKEN@HOST`: the name does not matter.
    let pair = Zeroizing::new(STANDARD.decode(value).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?);
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(Zeroizing::new(pair[colon + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, authorization: Option<&str>) -> Request {
        let mut request = Request::new(());
        *request.uri_mut() = uri.parse().unwrap();
        if let Some(value) = authorization {
            request.headers_mut().insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn a_token_is_given_in_three_ways() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for (uri, authorization) in [
            ("/", Some("Bearer secret")),
            ("/", Some("bearer  secret ")),
            ("/", Some(basic("bot:secret").as_str())),
            ("/", Some(basic(":secret").as_str())),
            ("/?token=secret", None),
            ("/?ack=on&token=secret", None),
        ] {
            assert!(has(&request(uri, authorization), "secret"), "{uri} {authorization:?}");
        }
        for (uri, authorization) in [
            ("/", None),
            ("/?token=", None),
            ("/?token", None),
            ("/?xtoken=secret", None),
            ("/secret", None),
            ("/", Some("secret")),
            ("/", Some("Bearer secre")),
            ("/", Some("Basic secret")),
            ("/", Some(basic("secret").as_str())),
            ("/", Some(basic("secret:").as_str())),
            // A header that is wrong is not made good by the URL.
            ("/?token=secret", Some("Bearer other")),
        ] {
            assert!(!has(&request(uri, authorization), "secret"), "{uri} {authorization:?}");
        }
    }
}
