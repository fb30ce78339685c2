//! The page that a browser shows for a link to somebody: links of the network begin with `https://` and a relay's host, so that
//! they are opened where no app knows them.
//!
//! Everything that makes a link work stands behind `#`, which browsers do not send. So the page is the same for all links of a
//! kind; it says what this is, what to do, and that the secret has not come here.

/// The kind of a link, by the first part of its path (protocol-spec chapter 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Invitation,
    Contact,
    Channel,
    Group,
    Relay,
}

/// The path of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// That of a link.
    Link(Link),
    /// That of a link whose `#` some program has written as `%23`: its secret has been sent to this server.
    Exposed,
    Other,
}

/// Paths of links, without slash at the beginning and the end.
const PATHS: [(&str, Link); 7] = [
    ("i", Link::Invitation),
    ("invitation", Link::Invitation),
    ("a", Link::Contact),
    ("contact", Link::Contact),
    ("c", Link::Channel),
    ("g", Link::Group),
    ("r", Link::Relay),
];

impl Path {
    /// Either case is read, as apps do.
    pub(super) fn of(path: &str) -> Self {
        let Some(path) = path.strip_prefix('/') else { return Self::Other };
        let name = path.strip_suffix('/').unwrap_or(path);
        let is = |name: &str| PATHS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        if let Some((_, link)) = is(name) {
            return Self::Link(*link);
        }
        match path.split_once("%23") {
            Some((before, _)) if is(before.strip_suffix('/').unwrap_or(before)).is_some() => Self::Exposed,
            _ => Self::Other,
        }
    }
}

impl Link {
    /// Title and first sentence.
    pub(super) fn about(self) -> (&'static str, &'static str) {
        match self {
            Self::Invitation => (
                "An invitation to talk in private",
                "Somebody has sent you a link that connects the two of you in a messaging app of the SimpleX network. \
                 It works once: for the first who uses it.",
            ),
            Self::Contact => (
                "The address of somebody to talk to",
                "With this link you can ask a person or an organization for a connection in a messaging app of the \
                 SimpleX network. They decide whether to accept.",
            ),
            Self::Channel => (
                "A channel",
                "With this link you can follow a channel in a messaging app of the SimpleX network.",
            ),
            Self::Group => (
                "A group",
                "With this link you can ask to join a group in a messaging app of the SimpleX network.",
            ),
            Self::Relay => (
                "A relay for groups",
                "With this link a messaging app of the SimpleX network can be told of a relay that serves groups and \
                 channels.",
            ),
        }
    }
}

/// Title and sentences about a link that was damaged.
pub(super) const EXPOSED: (&str, [&str; 3]) = (
    "This link was damaged on its way",
    [
        "A program has written %23 in the place of the # in this link. So what stands behind it, the secret part of the \
         link, was sent to this server, and maybe to others on the way.",
        "Best ask who gave you the link for a new one, and to send it as text or as a QR code.",
        "If you want to use it all the same, copy the address from the address bar of this browser into your messaging app, \
         and write # in the place of %23.",
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_known_with_and_without_a_slash_at_the_end() {
        for (path, link) in PATHS {
            for path in [format!("/{path}"), format!("/{path}/"), format!("/{}", path.to_uppercase())] {
                assert_eq!(Path::of(&path), Path::Link(link), "{path}");
            }
        }
    }

    #[test]
    fn links_that_were_sent_whole_are_known() {
        for path in ["/i%23abc", "/a/%23abc?x", "/contact%23/%3Fv=2", "/invitation/%23/?v=2-7&smp=x"] {
            assert_eq!(Path::of(path), Path::Exposed, "{path}");
        }
    }

    #[test]
    fn other_paths_are_others() {
        for path in ["", "/", "//", "i", "/i/x", "/i//", "//i", "/x", "/contacts", "/x%23y", "/%23i", "/i%2f"]
        {
            assert_eq!(Path::of(path), Path::Other, "{path}");
        }
    }
}
