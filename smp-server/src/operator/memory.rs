//! The memory of this process.

/// Bytes that are in RAM; `None` where the system does not tell (it is read from Linux' `/proc`).
pub(crate) fn resident_bytes() -> Option<u64> {
    resident(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found_and_anything_else_is_nothing() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    2048 kB\nVmSwap:\t 0 kB\n"), Some(2 << 20));
        for text in ["", "VmRSS:", "VmRSS: many kB", "VmRSS: 18446744073709551615 kB"] {
            assert_eq!(resident(text), None, "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_some() {
        assert!(resident_bytes().unwrap() > 100 << 10);
    }
}
