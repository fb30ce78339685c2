//! Times in words.

use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// A time from Unix milliseconds, with the date unless it is today's. In UTC, and says so: whoever reads it may compare it with
/// what the other side sees.
pub(crate) fn clock(unix_millis: i64, now: OffsetDateTime) -> String {
    let today = format_description!("[hour]:[minute]:[second] UTC");
    let other_day = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let Ok(time) = OffsetDateTime::from_unix_timestamp(unix_millis.div_euclid(1000)) else {
        return "(no time)".to_owned();
    };
    let format = if time.date() == now.to_offset(UtcOffset::UTC).date() { today } else { other_day };
    time.format(&format).unwrap_or_else(|_| "(no time)".to_owned())
}

/// A time span in its largest whole unit.
pub(crate) fn span(seconds: u32) -> String {
    let units = [(604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let unit = units.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    let (unit, word) = unit.unwrap_or((1, "second"));
    match seconds / unit {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    }
}

/// The time now, in Unix milliseconds.
pub(crate) fn unix_millis() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_their_largest_whole_unit() {
        for (seconds, words) in
            [(1, "1 second"), (90, "90 seconds"), (3600, "1 hour"), (172_800, "2 days"), (604_800, "1 week")]
        {
            assert_eq!(span(seconds), words);
        }
    }

    #[test]
    fn times_have_a_date_unless_it_is_today_and_none_is_a_panic() {
        let epoch = OffsetDateTime::UNIX_EPOCH;
        assert_eq!(clock(3_661_000, epoch), "01:01:01 UTC");
        assert_eq!(clock(3_661_000, epoch + time::Duration::days(1)), "1970-01-01 01:01:01 UTC");
        assert_eq!(clock(-1, epoch), "1969-12-31 23:59:59 UTC");
        assert_eq!(clock(i64::MAX, epoch), "(no time)");
    }
}
