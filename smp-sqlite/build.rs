//! Compiles SQLite3 Multiple Ciphers: SQLite with encryption of its files.

/// As libsqlite3-sys compiles its own SQLite, which this one takes the place of: nobody misses anything.
const SQLITE: &[(&str, Option<&str>)] = &[
    ("SQLITE_CORE", None),
    ("SQLITE_DEFAULT_FOREIGN_KEYS", Some("1")),
    ("SQLITE_ENABLE_API_ARMOR", None),
    ("SQLITE_ENABLE_COLUMN_METADATA", None),
    ("SQLITE_ENABLE_DBSTAT_VTAB", None),
    ("SQLITE_ENABLE_FTS3", None),
    ("SQLITE_ENABLE_FTS3_PARENTHESIS", None),
    ("SQLITE_ENABLE_FTS5", None),
    ("SQLITE_ENABLE_JSON1", None),
    ("SQLITE_ENABLE_LOAD_EXTENSION", Some("1")),
    ("SQLITE_ENABLE_MEMORY_MANAGEMENT", None),
    ("SQLITE_ENABLE_RTREE", None),
    ("SQLITE_ENABLE_STAT4", None),
    ("SQLITE_SOUNDEX", None),
    ("SQLITE_THREADSAFE", Some("1")),
    ("SQLITE_USE_URI", None),
    ("HAVE_USLEEP", Some("1")),
    ("HAVE_ISNAN", None),
    ("_POSIX_THREAD_SAFE_FUNCTIONS", None),
];

/// The ciphers that are left out: all but ChaCha20-Poly1305.
const NOT_USED: &[&str] = &[
    "HAVE_CIPHER_AES_128_CBC",
    "HAVE_CIPHER_AES_256_CBC",
    "HAVE_CIPHER_SQLCIPHER",
    "HAVE_CIPHER_RC4",
    "HAVE_CIPHER_ASCON128",
    "HAVE_CIPHER_AEGIS",
];

fn main() {
    let source = sqlite3mc_src::source_dir();
    let mut compiler = cc::Build::new();
    compiler.file(source.join(sqlite3mc_src::SOURCE_FILE)).include(source).warnings(false);
    for (name, value) in SQLITE {
        compiler.define(name, *value);
    }
    for cipher in NOT_USED {
        compiler.define(cipher, "0");
    }
    if std::env::var_os("CARGO_CFG_WINDOWS").is_none() {
        compiler.define("HAVE_LOCALTIME_R", None);
    }
    // Whole: it stands in front of those who call it, and some linkers do not look back.
    compiler.link_lib_modifier("+whole-archive").compile("sqlite3mc");
    println!("cargo::rerun-if-changed=build.rs");
}
