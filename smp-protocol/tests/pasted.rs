//! Pasted texts, as people paste them, and the link or refusal that comes of each.

#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use smp_protocol::address::RelayAddress;
use smp_protocol::link::{ConnectionLink, LinkError};
use smp_protocol::pasted::{self, PasteError};

const FULL: &str = "simplex:/invitation#/?v=2-7&smp=smp%3A%2F%2FEhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI%3D%40smp.example.com%3A5223%2FTW-gQkZeOmKQ5NV1ss_yoZHnqHRDL4kU%23%2F%3Fv%3D1-4%26dh%3DMCowBQYDK2VuAyEA_l_VLKJjX2pR7AJDCU2YhoGraF3NWxkAXS4z0sqCh28%253D%26q%3Dm&e2e=v%3D2-3%26x3dh%3DMEIwBQYDK2VvAzkAhbmqypJlN2Dxhhk2bhJY6nfXU8xWqe8kLQKpItA3cicRi5gldMYK-OLJujxccyImTxhTJ7_-UyY%3D%2CMEIwBQYDK2VvAzkAulFAFrH1U7wh3pg8OYIOjkUDTSwsAGEA--QurQKLflGrQINdQ4wvptNorqhbB3o3X-JBePlPU7g%3D";
const SHORT: &str = "simplex:/i#9_Vv-OEY0Nm3Ahq2ShEGTvtV5_Nj3jYx/sUEx8q8b7kWoWZsWzUua03Q7fclm8k4k4WL0Nt5k5O8?h=smp.example.com&p=443&c=EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI";
const KNOWN: &str =
    "https://smp.example.com/i#9_Vv-OEY0Nm3Ahq2ShEGTvtV5_Nj3jYx/sUEx8q8b7kWoWZsWzUua03Q7fclm8k4k4WL0Nt5k5O8";
const CONTACT: &str = "https://smp.example.com/a#sUEx8q8b7kWoWZsWzUua03Q7fclm8k4k4WL0Nt5k5O8?p=443&c=EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI";
const RELAY: &str = "smp://EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI=@smp.example.com,6ioorbm6i3yxmuoezrhjk6f6qgkc4syabh7m3so74jure3nzr4pwgfqd.onion:5223";

/// The link as a web page's.
fn web(link: &str) -> String {
    if link.contains("/invitation") {
        return link.replace("simplex:/", "https://simplex.chat/");
    }
    link.replace("simplex:/", "https://smp.example.com/").replace("h=smp.example.com&", "")
}

fn wrapped(text: &str, width: usize, line_break: &str) -> String {
    let lines: Vec<&str> =
        text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join(line_break)
}

#[track_caller]
fn reads(pasted: &str, link: &str) {
    let strict: ConnectionLink = link.parse().unwrap();
    assert_eq!(pasted::link(pasted), Ok(strict), "{pasted:?}");
}

#[test]
fn words_and_marks_around_a_link() {
    for link in [FULL, SHORT, KNOWN, CONTACT, &web(FULL), &web(SHORT)] {
        for around in [
            "LINK",
            " LINK ",
            "\tLINK\r\n",
            "LINK.",
            "LINK,",
            "LINK!",
            "LINK?",
            "LINK;",
            "LINK:",
            "(LINK)",
            "(LINK).",
            "<LINK>",
            "[LINK]",
            "“LINK”",
            "‘LINK’",
            "«LINK»",
            "\"LINK\"",
            "'LINK'",
            "`LINK`",
            "```\nLINK\n```",
            "**LINK**",
            "_LINK_",
            "{LINK}",
            "LINK…",
            "LINK。",
            "Join me: LINK see you",
            "Join me:\nLINK\n\nsee you",
            "here it is,LINK",
            "→LINK←",
            "[click](LINK)",
            "[LINK](LINK)",
            "<a href=\"LINK\">LINK</a>",
            "> LINK",
            "> > LINK\n> > ",
            "URL:LINK",
            "  - LINK",
            "LINK LINK",
            "LINK\nLINK",
            "LINKLINK",
            "Install it from https://simplex.chat/downloads/#desktop or https://example.com/contact and open LINK now",
            "LINK/",
            "LINK#",
            "LINK&",
            "\u{1b}[200~LINK\u{1b}[201~",
            "LINK (it works once)",
            "I use simplex: it is good. LINK",
        ] {
            reads(&around.replace("LINK", link), link);
        }
        // A link that stands for another kind of text: what the command line itself prints.
        reads(&format!("smp join '{link}'"), link);
    }
}

#[test]
fn links_broken_into_lines() {
    for link in [FULL, SHORT, CONTACT, &web(FULL), &web(SHORT)] {
        for width in [20, 40, 60, 70, 72, 76, 78, 79, 80, 100] {
            for line_break in ["\n", "\r\n", "\r", "\n  ", "\r\n\t", "\n> ", " \n", "\u{2028}", " ", "\\\n"] {
                let pasted = wrapped(link, width, line_break);
                reads(&pasted, link);
                reads(&format!("Hello,\n\n{pasted}\n\nBob"), link);
                reads(&format!("{pasted}\n"), link);
            }
        }
    }
    // With words in the first line and behind the last.
    let mail = wrapped(&format!("Join me: {FULL}"), 76, "\n");
    reads(&format!("{mail} see you"), FULL);
    reads(&format!("{mail}\nsee you"), FULL);
    reads(&format!("{mail}\nthanks"), FULL);
}

#[test]
fn what_programs_do_to_links() {
    for link in [FULL, SHORT, KNOWN, CONTACT] {
        let web = web(link);
        for host in [
            "?fbclid=IwAR0abc#",
            "/?utm_source=x&utm_medium=y#",
            "?ref=https://foo.example/x#",
            "&gclid=1#",
            "/#",
            "%23",
        ] {
            reads(&web.replacen('#', host, 1), link_of(&web));
        }
        for more in ["fbclid=IwAR0abc", "utm_source=x&utm_medium=y"] {
            reads(&format!("{web}{}{more}", if web.contains('?') { "&" } else { "?" }), link_of(&web));
        }
        reads(&web.replace('&', "&amp;"), link_of(&web));
        reads(
            &web.replace('&', "&#38;").replacen('#', "&#35;", 1).replace("&&#35;38;", "&#38;"),
            link_of(&web),
        );
        reads(&web.replace('/', "\\/").replace('&', "\\u0026"), link_of(&web));
        reads(&web.replace('&', "\\u0026"), link_of(&web));
        reads(&web.replace("https://", "http://"), link_of(&web));
        reads(&web.replace("https://", "HTTPS://"), link_of(&web));
        reads(web.trim_start_matches("https://"), link_of(&web));
        reads(&format!("open {} soon", web.trim_start_matches("https://")), link_of(&web));
        reads(&web.replacen(".com/", ".com:8443/", 1).replacen(".chat/", ".chat:8443/", 1), link_of(&web));
        reads(&format!("{web}#:~:text=hello"), link_of(&web));
        let escaped = percent(&web);
        reads(&format!("https://l.example.com/l.php?u={escaped}&h=AT0"), link_of(&web));
        reads(&escaped, link_of(&web));
        let quoted = wrapped(&web.replace('=', "=3D"), 75, "=\r\n");
        reads(&quoted, link_of(&web));
    }
    for link in [FULL, SHORT] {
        for scheme in ["simplex://", "Simplex:/", "SIMPLEX:/", "simplex:///", "sim\u{200b}plex:/", "simplex:"]
        {
            reads(&link.replace("simplex:/", scheme), link);
        }
        reads(&link.replace("/invitation", "/Invitation").replace("/i#", "/I#"), link);
        for hidden in
            ["\u{200b}", "\u{feff}", "\u{ad}", "\u{2060}", "\u{0}", "\u{fe0f}", "\u{a0}", "\u{2003}"]
        {
            let middle = link.len() / 2;
            reads(&format!("{hidden}{}{hidden}{}{hidden}", &link[..middle], &link[middle..]), link);
        }
    }
    reads(
        &SHORT.replace("simplex:/i", "simplex://smp.example.com/i").replace("h=smp.example.com&", ""),
        &web(SHORT),
    );
    reads(&FULL.replacen("#/?", "#?", 1), FULL);
    reads(&FULL.replacen("#/?", "%23%2F%3F", 1), FULL);
}

#[test]
fn what_other_programs_do_to_links() {
    for link in [FULL, SHORT, KNOWN, CONTACT] {
        let web = web(link);
        for around in [
            "<LINK|Join me>",
            "||LINK||",
            "\\href{LINK}{join}",
            "[1]: LINK",
            "[join](<LINK>)",
            "[join](LINK \"Join me\")",
            "<URL:LINK>",
            "<a href='LINK'>join</a>",
            "LINK\u{200e}.",
            "→\u{fe0f}LINK",
            "{\"link\":\"LINK\",\"n\":1}",
            "link=LINK;",
        ] {
            reads(&around.replace("LINK", &web), &web);
        }
        let escaped = percent(&web);
        for around in [
            "mailto:?subject=Hello&body=LINK",
            "mailto:bob@example.com?body=Join%20me%3A%20LINK%0AAlice",
            "sms:+1555?&body=LINK",
            "https://eur01.safelinks.example.com/?url=LINK&data=05%7C01&reserved=0",
            "https://www.example.com/url?sa=t&url=LINK&usg=x",
            "intent:LINK",
        ] {
            reads(&around.replace("LINK", &escaped), &web);
        }
        reads(&format!("https://a.example/?u={}&v=1", percent(&escaped)), &web);
        // Handlebars, Mustache, feeds.
        reads(&web.replace('&', "&amp;").replace('=', "&#x3D;").replace('/', "&#x2F;"), &web);
        reads(&web.replace('&', "&#x26;").replace('=', "&#61;").replace('?', "&quest;"), &web);
        reads(&web.replace('&', "&amp;amp;"), &web);
        // Markdown, and a shell that quotes what is pasted into it.
        reads(&web.replace('_', "\\_"), &web);
        let quoted: String = web
            .chars()
            .flat_map(|character| {
                let is_quoted = "?&=#~".contains(character);
                is_quoted.then_some('\\').into_iter().chain([character])
            })
            .collect();
        reads(&format!("see {quoted} now"), &web);
    }
    for page in ["/de/invitation", "/pt-br/docs/invitation", "//invitation/", "/invitation/index.html"] {
        reads(&web(FULL).replace("/invitation", page), FULL);
    }
    // A shorter link could be read in front of the first backslash.
    reads(&SHORT.replace('.', "\\."), SHORT);
}

fn link_of(link: &str) -> &str {
    link
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[test]
fn a_host_in_another_case_is_the_same() {
    let known: RelayAddress = RELAY.parse().unwrap();
    for host in ["SMP.example.com", "smp.Example.COM"] {
        let link = KNOWN.replace("smp.example.com", host);
        let Ok(ConnectionLink::Short(short)) = pasted::link(&link) else { panic!("{link}") };
        assert_eq!(
            short.relay().resolve(std::slice::from_ref(&known)),
            Some(known.without_password()),
            "{link}"
        );
    }
}

#[test]
fn what_is_not_certain_is_refused() {
    let other = SHORT.replace("9_Vv", "8_Vv");
    let refused = |pasted: &str| pasted::link(pasted).unwrap_err();
    assert_eq!(refused(&format!("{SHORT} or {other}")), PasteError::Several);
    assert_eq!(refused(&format!("{SHORT}\n{FULL}")), PasteError::Several);
    assert_eq!(refused(&format!("{FULL}{SHORT}")), PasteError::Several);
    // The port may go on.
    let open = "https://smp.example.com/i#9_Vv-OEY0Nm3Ahq2ShEGTvtV5_Nj3jYx/sUEx8q8b7kWoWZsWzUua03Q7fclm8k4k4WL0Nt5k5O8?c=EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI&p=44";
    assert_eq!(refused(&format!("{open}\n3")), PasteError::Unclear);
    reads(&format!("{open} 3 times"), open);
    reads(&format!("{open}\n\n3"), open);
    reads(&format!("{open}3"), &format!("{open}3"));
    // A cut one beside the whole is the same; another damaged one is not.
    reads(&format!("{}\n\n{SHORT}", &SHORT[..90]), SHORT);
    assert_eq!(refused(&format!("{}\n\n{SHORT}", &other[..90])), PasteError::Several);
}

#[test]
fn damage_is_named() {
    let refused = |pasted: &str| pasted::link(pasted).unwrap_err();
    assert_eq!(refused(""), PasteError::Empty);
    assert_eq!(refused(" \u{200b}\n"), PasteError::Empty);
    assert_eq!(refused(&"x".repeat(pasted::MAX_PASTED + 1)), PasteError::TooLong);
    assert_eq!(refused("hello"), PasteError::Link(LinkError::NotALink));
    assert!(matches!(refused("https://example.com/"), PasteError::Link(_)));
    assert!(matches!(refused("simplex:/invitation"), PasteError::Link(LinkError::Missing(_))));
    assert!(matches!(
        refused(&FULL[..200]),
        PasteError::Link(LinkError::Missing(_) | LinkError::Damaged { .. })
    ));
    for cut in 1..60 {
        assert!(matches!(refused(&FULL[..FULL.len() - 3 - cut]), PasteError::Link(_)), "{cut}");
        assert!(matches!(refused(&SHORT[..SHORT.len() - cut.min(43)]), PasteError::Link(_)), "{cut}");
    }
    // Programs make a dash of two hyphens.
    assert_eq!(refused(&FULL.replace("--", "—")), PasteError::Foreign('—'));
    assert_eq!(refused(&FULL.replace("5223", "52…23")), PasteError::Foreign('…'));
    let sentence = refused(&FULL.replace("--", "—")).to_string();
    assert!(!sentence.contains("MEIw"), "{sentence}");
}

#[track_caller]
fn is_relay(pasted: &str, address: &str) {
    let strict: RelayAddress = address.parse().unwrap();
    let read = pasted::relay_address(pasted).unwrap_or_else(|error| panic!("{pasted:?}: {error}"));
    assert_eq!(read.to_string(), strict.to_string(), "{pasted:?}");
}

#[test]
fn relay_addresses() {
    let onion = "6ioorbm6i3yxmuoezrhjk6f6qgkc4syabh7m3so74jure3nzr4pwgfqd.onion";
    let key = "smp://EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI=";
    for address in [
        RELAY.to_owned(),
        format!("{key}@smp.example.com"),
        format!("{key}:p4ss,word.@smp.example.com:443"),
        format!("{key}@[2001:db8::7]:5223"),
        format!("{key}@2001:db8::7"),
        format!("{key}@10.0.0.1,{onion}"),
    ] {
        for around in [
            "ADDRESS",
            "    ADDRESS",
            "\tADDRESS \r\n",
            "ADDRESS/",
            "ADDRESS//",
            "ADDRESS.",
            "ADDRESS,",
            "<ADDRESS>",
            "(ADDRESS)",
            "[ADDRESS]",
            "“ADDRESS”",
            "\"ADDRESS\"",
            "'ADDRESS'",
            "`ADDRESS`",
            "«ADDRESS»",
            "The address is ADDRESS and that is it",
            "address: ADDRESS",
            "relays = [\"ADDRESS\"]",
            "--relay ADDRESS",
            "ADDRESS ADDRESS",
            "ADDRESS\n\nADDRESS",
            "ADDRESS\n\nKeep ca.key safe.",
            "\u{feff}ADDRESS\u{200b}",
            "> ADDRESS",
            "**ADDRESS**",
        ] {
            is_relay(&around.replace("ADDRESS", &address), &address);
        }
        for scheme in ["SMP://", "Smp://", "smp:/", "smp:///"] {
            is_relay(&address.replace("smp://", scheme), &address);
        }
        is_relay(&percent(&address), &address);
        is_relay(&percent(&percent(&address)), &address);
        is_relay(&format!("mailto:?body={}", percent(&address)), &address);
        is_relay(&format!("<{address}|our relay>"), &address);
        is_relay(&format!("[relay]({address})"), &address);
        is_relay(&address.replace('=', "&#x3D;").replace('/', "&#47;"), &address);
        is_relay(&address.replace('_', "\\_").replace('=', "\\="), &address);
    }
    for hosts in [
        format!("smp.example.com:5223,{onion}"),
        format!("smp.example.com:5223,{onion}:5223"),
        format!("smp.example.com:5223,{onion}/"),
    ] {
        is_relay(&format!("{key}@{hosts}"), RELAY);
    }
    is_relay(&format!("{key}@[::1]:443,a.example"), &format!("{key}@::1,a.example:443"));
    is_relay(&RELAY.replace("=@", "@"), RELAY);
    for width in [30, 50, 76, 80] {
        for line_break in ["\n", "\r\n    ", "\n> "] {
            is_relay(&wrapped(RELAY, width, line_break), RELAY);
        }
    }
}

#[test]
fn relay_addresses_that_are_refused() {
    let key = "EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI=";
    let other = RELAY.replace("Ehg", "Fhg");
    for (pasted, error) in [
        (String::new(), PasteError::Empty),
        ("hello".to_owned(), PasteError::NotAnAddress),
        ("https://smp.example.com".to_owned(), PasteError::NotAnAddress),
        (format!("xftp://{key}@smp.example.com"), PasteError::OtherProtocol),
        ("smp://smp.example.com:5223".to_owned(), PasteError::NoFingerprint),
        ("smp://<fingerprint>@<hostnames>".to_owned(), PasteError::Placeholder),
        (format!("smp://{key}@<hostnames>"), PasteError::Placeholder),
        (format!("smp://{key}@"), PasteError::Host),
        ("smp://x@y".to_owned(), PasteError::Fingerprint),
        (format!("smp://{}@smp.example.com", &key[1..]), PasteError::Fingerprint),
        (format!("smp://{key}@a.example:1,b.example:2"), PasteError::Ports),
        (format!("smp://{key}@a.example:70000"), PasteError::Host),
        (format!("smp://{key}@a.example:port"), PasteError::Host),
        (format!("smp://{key}@a.example/path/queue"), PasteError::Trailing),
        (format!("smp://{key}:x:y@a.example"), PasteError::Password),
        (format!("{RELAY} {other}"), PasteError::Several),
        (format!("smp://{key}@smp.example.com:44\n3"), PasteError::Unclear),
        ("x".repeat(pasted::MAX_PASTED + 1), PasteError::TooLong),
    ] {
        assert_eq!(pasted::relay_address(&pasted).unwrap_err(), error, "{pasted:?}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(text in ".{0,200}", parts in prop::collection::vec(prop::sample::select(vec![
        "simplex:", "https:", "/", "//", "i", "a", "invitation", "#", "%23", "?", "&", "=", "\n", " ", "\r\n", "é", "—", "@", ":", "smp:", "[", "]",
        "smp=", "v=2-7", "%", "%2", "=3D", "\u{1b}[", "&amp;", "\\/", "<", ",", "EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI", "smp.example.com", "5223",
    ]), 0..40)) {
        let _ = pasted::link(&text);
        let _ = pasted::relay_address(&text);
        let _ = pasted::link(&parts.concat());
        let _ = pasted::relay_address(&parts.concat());
    }

    #[test]
    fn a_link_is_found_wherever_it_was_broken(places in prop::collection::btree_set(1_usize..150, 0..8), line_break in prop::sample::select(vec!["\n", "\r\n", " ", "\n   "])) {
        for link in [SHORT, CONTACT] {
            let mut pasted = link.to_owned();
            for place in places.iter().rev().filter(|place| **place < link.len()) {
                pasted.insert_str(*place, line_break);
            }
            // Never another link; a piece that is a whole link is refused, not taken.
            match pasted::link(&pasted) {
                Ok(read) => prop_assert_eq!(read, link.parse::<ConnectionLink>().unwrap()),
                Err(error) => prop_assert_eq!(error, PasteError::Unclear),
            }
        }
    }
}
