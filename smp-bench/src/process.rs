//! CPU time and memory of a process, from `/proc`.

use std::fs;
use std::time::Duration;

/// Clock ticks in a second, as `/proc` has them on Linux for programs.
const TICKS: u64 = 100;

/// CPU time that a process has used, in user and kernel mode, by all its threads; resolution 10 ms. `None` if there is no
/// such process, or no `/proc`.
#[must_use]
pub fn cpu_time(pid: u32) -> Option<Duration> {
    parse_cpu_time(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// CPU time that this process has used.
#[must_use]
pub fn own_cpu_time() -> Option<Duration> {
    cpu_time(std::process::id())
}

/// Resident memory of a process in bytes.
#[must_use]
pub fn resident_bytes(pid: u32) -> Option<u64> {
    parse_resident(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// The most resident memory that a process has had, in bytes.
#[must_use]
pub fn peak_bytes(pid: u32) -> Option<u64> {
    parse_kib(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmHWM:")
}

/// Bytes that a process has had written to the disk.
#[must_use]
pub fn written_bytes(pid: u32) -> Option<u64> {
    parse_written(&fs::read_to_string(format!("/proc/{pid}/io")).ok()?)
}

fn parse_written(io: &str) -> Option<u64> {
    io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

/// The name of the program is in parentheses and may contain anything; fields are counted from behind it.
fn parse_cpu_time(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 1000 / TICKS))
}

fn parse_resident(status: &str) -> Option<u64> {
    parse_kib(status, "VmRSS:")
}

fn parse_kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b) R 1 7 7 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 1 0 9 0 0";
        assert_eq!(parse_cpu_time(stat), Some(Duration::from_secs(2)));
        assert_eq!(parse_cpu_time("nonsense"), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(parse_resident("Name:\tx\nVmRSS:\t    2 kB\nRssAnon: 1 kB\n"), Some(2048));
        assert_eq!(parse_resident("Name:\tx\n"), None);
        assert_eq!(parse_written("wchar: 1\nwrite_bytes: 77\ncancelled_write_bytes: 3\n"), Some(77));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_found() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        assert!(own_cpu_time().is_some());
        assert!(cpu_time(u32::MAX).is_none());
    }
}
