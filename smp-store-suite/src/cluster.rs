//! `Cluster`: a PostgreSQL server of one's own, in a temporary directory, for the time of a test program.
//!
//! Where there is no PostgreSQL, what needs one is skipped, and says so; with `SMP_TEST_POSTGRES=required` in the environment it fails instead.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, raw_sql};

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the server until the input ends, which it does however this process ends, and removes its directory then.
const UNTIL_END: &str = r#"directory=$1; shift; "$@" >>"$directory/log" 2>&1 & server=$!
cat >/dev/null; kill -QUIT $server 2>/dev/null; wait $server; [ -e "$directory/keep" ] || rm -rf "$directory""#;

/// A server.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    settings: Vec<String>,
    running: Option<Child>,
    databases: AtomicU32,
}

/// The address of a new, empty database in the server of this program; `None`, and a word about it, if there is no PostgreSQL here.
pub async fn database() -> Option<String> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = SHARED.get_or_init(|| Cluster::start(&[]));
    Some(cluster.as_ref()?.database().await)
}

impl Cluster {
    /// Starts a server with these settings besides; `None`, and a word about it, if there is no PostgreSQL here.
    #[must_use]
    pub fn start(settings: &[&str]) -> Option<Self> {
        match Self::try_start(settings) {
            Ok(cluster) => Some(cluster),
            Err(why) if std::env::var_os("SMP_TEST_POSTGRES").is_some_and(|value| value == "required") => {
                panic!("{why}")
            }
            Err(why) => {
                println!("skipped: {why}");
                None
            }
        }
    }

    fn try_start(settings: &[&str]) -> Result<Self, String> {
        let programs =
            programs().ok_or("there is no PostgreSQL on this machine (Debian: apt install postgresql)")?;
        let directory =
            tempfile::Builder::new().prefix("smp-postgres-").tempdir().map_err(|e| e.to_string())?;
        let directory = directory.keep();
        let owner = owner()?;
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(&directory, Some(user), Some(group))
                .map_err(|error| error.to_string())?;
        }
        let mut cluster = Self {
            directory,
            programs,
            owner,
            settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
            running: None,
            databases: AtomicU32::new(0),
        };
        let data = cluster.data();
        let made = cluster
            .command("initdb")
            .args(["--auth=trust", "--username=smp", "--no-sync", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(&data)
            .output()
            .map_err(|error| error.to_string())?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)));
        }
        cluster.run();
        Ok(cluster)
    }

    /// Starts the server, and waits until it answers.
    pub fn run(&mut self) {
        let mut server = self.command("postgres");
        let (program, data) = (server.get_program().to_owned(), self.data());
        server = self.as_owner("sh");
        server.args(["-c", UNTIL_END, "sh"]).arg(&self.directory).arg(program).arg("-D").arg(data);
        server.arg("-k").arg(&self.directory);
        for setting in ["listen_addresses=", "fsync=off", "max_connections=200", "shared_buffers=32MB"] {
            server.args(["-c", setting]);
        }
        for setting in &self.settings {
            server.args(["-c", setting]);
        }
        self.running = Some(server.stdin(Stdio::piped()).spawn().expect("a shell"));
        let since = Instant::now();
        while !self.answers() {
            assert!(since.elapsed() < PATIENCE, "PostgreSQL does not start: {}", self.log());
            sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let asked = self.psql("SELECT 1");
        asked.is_ok_and(|asked| asked.status.success())
    }

    /// The output of a statement, in the database of the server's owner.
    ///
    /// # Errors
    /// If `psql` cannot be run.
    pub fn psql(&self, sql: &str) -> std::io::Result<Output> {
        self.command("psql")
            .arg("-h")
            .arg(&self.directory)
            .args(["-U", "smp", "-d", "postgres", "-Atc", sql])
            .output()
    }

    /// Kills all processes of the server (`SIGKILL`), as when the machine it is on dies. [`run`](Self::run) starts it again.
    pub fn kill(&mut self) {
        fs::write(self.directory.join("keep"), "").unwrap();
        let file = self.data().join("postmaster.pid");
        let server = fs::read_to_string(&file).unwrap();
        let server = server.lines().next().unwrap().trim();
        // The others see that it is gone, and end. Those that are in the middle of something are killed too.
        let children = Command::new("pgrep").args(["-P", server]).output().map_or_else(
            |_| String::new(),
            |children| {
                String::from_utf8_lossy(&children.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
            },
        );
        let killed = Command::new("sh")
            .args(["-c", &format!("kill -9 {server} {children} 2>/dev/null; true")])
            .status();
        assert!(killed.unwrap().success());
        if let Some(mut shell) = self.running.take() {
            drop(shell.stdin.take());
            shell.wait().unwrap();
        }
        let _ = fs::remove_file(self.directory.join("keep"));
        let since = Instant::now();
        while self.answers() {
            assert!(since.elapsed() < PATIENCE, "PostgreSQL does not die");
            sleep(Duration::from_millis(20));
        }
    }

    /// The directory of the server's socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.directory
    }

    /// The address of a new, empty database.
    pub async fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect("postgres").await;
        raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        self.url(&name)
    }

    /// The address of a database.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("postgres:///{name}?host={}&user=smp", self.directory.display())
    }

    /// A connection to a database, besides those of what is tested.
    pub async fn connect(&self, name: &str) -> PgConnection {
        let options: PgConnectOptions = self.url(name).parse().unwrap();
        options.connect().await.unwrap()
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn command(&self, program: &str) -> Command {
        self.as_owner(self.programs.join(program))
    }

    /// PostgreSQL refuses to run as root.
    fn as_owner(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env("LC_ALL", "C");
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut shell) = self.running.take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }
}

/// Where the newest PostgreSQL is.
fn programs() -> Option<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = installed.filter_map(|version| {
        let number: u32 = version.file_name().to_str()?.parse().ok()?;
        Some((number, version.path().join("bin")))
    });
    let in_path = std::env::var_os("PATH");
    let in_path = in_path.iter().flat_map(std::env::split_paths).map(|path| (0, path));
    newest
        .chain(in_path)
        .filter(|(_, path)| path.join("initdb").exists())
        .max_by_key(|(number, _)| *number)
        .map(|(_, path)| path)
}

/// The user and group that the server runs as, if this process is root.
fn owner() -> Result<Option<(u32, u32)>, String> {
    let passwords = fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|this| std::os::unix::fs::MetadataExt::uid(&this) == 0);
    if !is_root {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        let found = passwords.lines().find_map(|line| {
            let mut fields = line.split(':');
            let is_it = fields.next() == Some(name);
            let mut numbers = fields.skip(1).map(|field| field.parse().ok());
            is_it.then(|| Some((numbers.next()??, numbers.next()??))).flatten()
        });
        if found.is_some() {
            return Ok(found);
        }
    }
    Err("this is root, and there is neither a user postgres nor nobody to run PostgreSQL as".to_owned())
}
