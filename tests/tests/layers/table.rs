//! The table of crates and layers: which may import which.

/// One crate.
pub(crate) struct Crate {
    /// Its directory.
    pub(crate) name: &'static str,
    /// The modules below its root, each with those it may import, which stand above it. Empty: only circles are looked for.
    pub(crate) layers: &'static [(&'static str, &'static [&'static str])],
}

pub(crate) const CRATES: &[Crate] = &[
    Crate { name: "smp-crypto", layers: &[] },
    Crate { name: "smp-protocol", layers: &[] },
    Crate { name: "smp-ratchet", layers: &[] },
    Crate { name: "smp-transport", layers: TRANSPORT },
    Crate { name: "smp-sqlite", layers: &[] },
    Crate { name: "smp-server", layers: RELAY },
    Crate { name: "smp-store-suite", layers: &[] },
    Crate { name: "smp-agent", layers: AGENT },
    Crate { name: "smp-files", layers: FILES },
    Crate { name: "smp-bot", layers: BOT },
    Crate { name: "smp-chat", layers: CHAT },
    Crate { name: "smp-cli", layers: COMMAND_LINE },
    Crate { name: "smp-bench", layers: &[] },
    Crate { name: "smp-fuzz", layers: &[] },
    Crate { name: "smp-vectors", layers: &[] },
    Crate { name: "tests", layers: &[] },
];

/// `upload, download -> relays -> client`; leaves first.
const FILES: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("meter", &[]),
    ("name", &[]),
    ("link", &[]),
    ("encrypted", &[]),
    ("retry", &["error"]),
    ("client", &["error"]),
    ("relays", &["client", "error"]),
    // Transfers.
    ("delete", &["error", "meter", "relays", "retry"]),
    ("download", &["client", "encrypted", "error", "meter", "name", "relays", "retry"]),
    ("upload", &["delete", "encrypted", "error", "meter", "relays", "retry"]),
];

/// `book -> conversation -> words`; leaves first.
const CHAT: &[(&str, &[&str])] = &[
    ("visible", &[]),
    ("names", &["visible"]),
    ("words", &[]),
    ("kept", &[]),
    ("profile", &["kept"]),
    // Decisions.
    ("conversation", &["words"]),
    ("compose", &["conversation"]),
    // All of it, kept.
    ("book", &["compose", "conversation", "kept", "names", "profile", "words"]),
];

/// `command -> types`; leaves first.
const BOT: &[(&str, &[&str])] =
    &[("types", &[]), ("command", &["types"]), ("response", &["types"]), ("frame", &["response", "types"])];

/// `dispatch -> shared -> commands -> session`; leaves first.
const COMMAND_LINE: &[(&str, &[&str])] = &[
    // Input and output.
    ("network", &[]),
    ("args", &["network"]),
    ("exit", &[]),
    ("qr", &[]),
    ("scan", &[]),
    ("text", &[]),
    ("thumbnail", &[]),
    ("names", &[]),
    ("output", &[]),
    ("passphrase", &[]),
    ("book_key", &[]),
    ("terminal", &["output", "qr"]),
    // An identity.
    ("data_dir", &["network"]),
    ("relays", &[]),
    ("probe", &["network"]),
    ("reach", &["data_dir", "network", "relays"]),
    ("trouble", &["text"]),
    ("full_disk", &[]),
    ("files", &["book_key", "data_dir"]),
    (
        "session",
        &[
            "book_key",
            "data_dir",
            "files",
            "full_disk",
            "passphrase",
            "reach",
            "relays",
            "scan",
            "text",
            "thumbnail",
            "trouble",
        ],
    ),
    // Commands, and the process that runs one.
    (
        "commands",
        &[
            "args",
            "book_key",
            "data_dir",
            "exit",
            "names",
            "output",
            "passphrase",
            "probe",
            "reach",
            "relays",
            "scan",
            "session",
            "text",
            "trouble",
        ],
    ),
    ("shared", &["commands", "data_dir", "exit", "output", "session"]),
    ("bot", &["args", "commands", "exit", "full_disk", "output", "session", "text"]),
    ("bot_api", &["args", "commands", "output", "session", "text"]),
    ("daemon", &["args", "bot_api", "commands", "exit", "output", "session"]),
    // A screen: its state, its drawing, and what drives them.
    ("tui", &["args", "commands", "exit", "output", "qr", "session", "text"]),
    ("demo", &["args", "exit", "output", "relays"]),
    (
        "dispatch",
        &[
            "args",
            "bot",
            "commands",
            "daemon",
            "data_dir",
            "demo",
            "exit",
            "files",
            "output",
            "passphrase",
            "qr",
            "session",
            "shared",
            "terminal",
            "tui",
        ],
    ),
];

const TRANSPORT: &[(&str, &[&str])] = &[
    ("causes", &[]),
    ("owner", &[]),
    ("durable", &["owner"]),
    ("socket", &[]),
    ("stream", &[]),
    ("surroundings", &["socket", "stream"]),
    ("identity", &["durable", "owner"]),
    ("tls", &["identity", "stream", "surroundings"]),
    ("connection", &["identity", "stream", "surroundings", "tls"]),
    ("dial", &["stream", "surroundings"]),
    ("client", &["connection", "dial", "identity", "stream", "surroundings", "tls"]),
];

/// `relay -> listener`, and `session -> commands -> broker -> store`; leaves first.
const RELAY: &[(&str, &[&str])] = &[
    // Leaves: they know nothing of SMP.
    ("sync", &[]),
    ("advice", &[]),
    ("clock", &["sync"]),
    ("load", &["sync"]),
    ("metrics", &["sync"]),
    ("config", &["advice", "sync"]),
    ("admission", &["config", "metrics", "sync"]),
    ("stopping", &[]),
    ("listener", &["admission", "config", "metrics", "stopping"]),
    ("page", &["admission", "config", "metrics", "sync"]),
    ("control", &["metrics", "page"]),
    ("init", &["config"]),
    ("served", &[]),
    // From the store up to the session.
    ("store", &["advice", "clock", "sync"]),
    ("auth", &["store"]),
    ("files", &["admission", "auth", "clock", "config", "metrics", "stopping", "store", "sync"]),
    ("client", &["admission", "metrics", "store", "sync"]),
    ("broker", &["client", "store", "sync"]),
    ("proxy", &["config", "sync"]),
    ("cluster", &["broker", "store", "sync"]),
    (
        "node",
        &["admission", "auth", "broker", "clock", "cluster", "config", "load", "metrics", "proxy", "store"],
    ),
    (
        "commands",
        &[
            "admission",
            "auth",
            "broker",
            "client",
            "clock",
            "cluster",
            "config",
            "metrics",
            "node",
            "proxy",
            "store",
            "sync",
        ],
    ),
    (
        "session",
        &[
            "admission",
            "broker",
            "client",
            "cluster",
            "commands",
            "config",
            "files",
            "metrics",
            "node",
            "stopping",
            "store",
            "sync",
        ],
    ),
    // Beside it: what no client asks for.
    (
        "operator",
        &["admission", "config", "control", "files", "metrics", "node", "page", "stopping", "store"],
    ),
    ("maintenance", &["broker", "clock", "config", "node", "store"]),
    // Above: one relay, put together.
    (
        "relay",
        &[
            "admission",
            "advice",
            "broker",
            "clock",
            "cluster",
            "config",
            "control",
            "files",
            "listener",
            "maintenance",
            "metrics",
            "node",
            "operator",
            "page",
            "served",
            "session",
            "stopping",
            "store",
            "sync",
        ],
    ),
    ("reload", &["config", "page", "relay"]),
    ("backup", &["advice", "config", "relay", "served", "store"]),
    ("migrate", &["config", "relay", "served", "store"]),
    ("import", &["broker", "config", "files", "migrate", "relay", "served", "store"]),
    ("cli", &["backup", "config", "control", "import", "init", "metrics", "migrate", "relay", "reload"]),
];

/// `agent -> network -> steps -> store -> connection`; leaves first.
const AGENT: &[(&str, &[&str])] = &[
    // Seen by the application, too.
    ("trace", &[]),
    ("id", &[]),
    ("stored", &[]),
    ("secret", &["stored"]),
    ("error", &["id", "secret"]),
    ("stages", &[]),
    ("event", &["error", "id", "stages"]),
    ("send_handle", &["error", "id"]),
    ("network_settings", &[]),
    ("relay_set", &[]),
    ("config", &["network_settings", "relay_set", "secret"]),
    ("session_key", &["id", "network_settings"]),
    ("data_dir", &["error"]),
    ("key_file", &["data_dir", "error", "secret"]),
    ("reserve", &["error"]),
    // From the rules up to the network.
    ("connection", &["config", "error", "event", "id", "relay_set", "session_key", "stages", "stored"]),
    (
        "store",
        &[
            "connection",
            "error",
            "event",
            "id",
            "network_settings",
            "relay_set",
            "send_handle",
            "session_key",
            "stored",
        ],
    ),
    ("steps", &["connection", "error", "event", "id", "reserve", "send_handle", "store", "stored", "trace"]),
    ("summary", &["connection", "error", "id", "stages"]),
    (
        "network",
        &[
            "config",
            "connection",
            "data_dir",
            "error",
            "event",
            "id",
            "key_file",
            "relay_set",
            "reserve",
            "session_key",
            "steps",
            "store",
            "summary",
            "trace",
        ],
    ),
    // Above: the interface.
    ("events", &["error", "event", "network", "steps", "store"]),
    (
        "agent",
        &[
            "config",
            "connection",
            "error",
            "events",
            "id",
            "network",
            "network_settings",
            "relay_set",
            "key_file",
            "secret",
            "send_handle",
            "session_key",
            "steps",
            "summary",
        ],
    ),
    ("addresses", &["agent", "connection", "error", "id", "network"]),
    ("archive", &["agent", "data_dir", "error", "key_file", "secret"]),
    ("at_rest", &["data_dir", "error", "key_file", "secret", "store"]),
    ("glance", &["at_rest", "data_dir", "error", "id", "store", "summary"]),
];
