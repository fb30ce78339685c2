//! Arguments that several commands have, and values that need a check.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

/// Longest time that can be waited for, 100 years: no clock counts much further.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The name of a contact that is there.
#[derive(Debug, Args, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct KnownContact {
    /// The contact's name, as `smp contacts` shows it.
    #[arg(id = "contact", value_name = "CONTACT")]
    pub(crate) name: String,
}

/// The name of a contact that is to be made.
#[derive(Debug, Args, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct NewContact {
    /// Name of this contact here; their own name is used if left out.
    #[arg(id = "contact", value_name = "CONTACT")]
    pub(crate) name: Option<String>,
}

/// The text of a message.
#[derive(Debug, Args)]
pub(crate) struct Text {
    /// The text; several words are joined by spaces, `-` reads standard input.
    #[arg(id = "text", value_name = "TEXT", required = true)]
    pub(crate) words: Vec<String>,
}

/// The number of a message, also as it is shown: `#12`.
pub(super) fn number(text: &str) -> Result<i64, String> {
    let number = text.strip_prefix('#').unwrap_or(text).parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "the number of a message is expected, as `smp history` shows it".to_owned())
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is expected".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= LONGEST_WAIT => Ok(duration),
        _ => Err(format!("the number of seconds must be from 0 to {}", LONGEST_WAIT.as_secs())),
    }
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
pub(crate) enum Switch {
    On,
    Off,
}

impl Switch {
    pub(crate) fn is_on(self) -> bool {
        self == Self::On
    }
}

/// A time span in seconds: a number of them, or of minutes, hours, days or weeks (`90`, `5m`, `1h`, `7d`, `2w`); 0 for `off`.
pub(super) fn span(text: &str) -> Result<u32, String> {
    const UNITS: [(char, u32); 5] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];
    if text.eq_ignore_ascii_case("off") {
        return Ok(0);
    }
    let unit = UNITS.iter().find_map(|(end, seconds)| Some((text.strip_suffix(*end)?, *seconds)));
    let (number, unit) = unit.unwrap_or((text, 1));
    let seconds = number.parse().ok().and_then(|number: u32| number.checked_mul(unit));
    seconds
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| "a time is expected, as 5m, 1h, 7d or 2w, or off".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("5m", 300),
            ("1h", 3600),
            ("7d", 604_800),
            ("2w", 1_209_600),
            ("off", 0),
        ] {
            assert_eq!(span(text), Ok(seconds), "{text}");
        }
        for text in ["", "0", "h", "-1", "1y", "1.5h", "9999999w", "1 h"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn messages_are_named_by_numbers() {
        assert_eq!((number("12"), number("#12")), (Ok(12), Ok(12)));
        for text in ["", "#", "0", "-1", "##1", "last"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_refuse_what_no_clock_can_wait_for() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for text in ["-1", "nan", "1e400", "1e19", "3153600001", "ten", ""] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert_eq!(seconds("3153600000"), Ok(LONGEST_WAIT));
    }
}
