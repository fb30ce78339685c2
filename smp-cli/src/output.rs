//! What the user sees: sentences, or with `--json` one object per line.

use std::sync::Arc;

use serde_json::{Value, json};
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use crate::screen::Screen;
use crate::shared::ClientScreen;

/// Where results go. Results are on standard output; what only explains them is on standard error.
#[derive(Clone)]
pub(crate) struct Output {
    json: bool,
    sink: Sink,
}

#[derive(Clone)]
enum Sink {
    /// Of this process.
    Screen(Arc<Screen>),
    /// Of another process, which asked this one.
    Client(ClientScreen),
}

impl Output {
    /// To the screen of this process.
    pub(crate) fn new(screen: Screen) -> Self {
        Self { json: screen.is_json(), sink: Sink::Screen(Arc::new(screen)) }
    }

    /// To the screen of a process that asked this one.
    pub(crate) fn to_client(json: bool, screen: ClientScreen) -> Self {
        Self { json, sink: Sink::Client(screen) }
    }

    /// Whether the reader is a program.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A result: `sentence` for people, `fields` with the name of the event for programs.
    pub(crate) fn result(&self, event: &str, fields: Value, sentence: &str) {
        if self.json {
            self.out(&with_event(event, fields).to_string());
        } else {
            self.out(&visible(sentence));
        }
    }

    /// Something that explains a result and is not one.
    pub(crate) fn note(&self, event: &str, fields: Value, sentence: &str) {
        if self.json {
            self.out(&with_event(event, fields).to_string());
        } else {
            self.err(&visible(sentence));
        }
    }

    /// An explanation that programs do not need.
    pub(crate) fn hint(&self, sentence: &str) {
        if !self.json {
            self.err(&visible(sentence));
        }
    }

    /// A link to be scanned; see [`Screen::code`].
    pub(crate) fn code(&self, link: &str, again: Option<&str>) -> anyhow::Result<()> {
        match &self.sink {
            Sink::Screen(screen) => screen.code(link, again),
            Sink::Client(screen) => {
                screen.code(link, again);
                Ok(())
            }
        }
    }

    /// The reason for which the program ends without success.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let sentence = chain(error);
        if self.json {
            self.out(&with_event("error", json!({ "message": sentence })).to_string());
        } else {
            self.err(&format!("smp: {}", visible(&sentence)));
        }
    }

    /// A whole line of standard output, as it is.
    pub(crate) fn out(&self, line: &str) {
        match &self.sink {
            Sink::Screen(screen) => screen.out(line),
            Sink::Client(screen) => screen.out(line),
        }
    }

    /// A whole line of standard error, as it is.
    pub(crate) fn err(&self, line: &str) {
        match &self.sink {
            Sink::Screen(screen) => screen.err(line),
            Sink::Client(screen) => screen.err(line),
        }
    }
}

pub(crate) fn with_event(event: &str, mut fields: Value) -> Value {
    fields["event"] = json!(event);
    fields
}

/// An error and its causes in one line, without saying twice what a cause repeats.
fn chain(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line
}

/// A text as a terminal may show it, whoever wrote parts of it: without the control characters that could move the cursor
/// or rename the window, and without those that reorder or hide what stands beside them. Line breaks and tabs stay.
pub(crate) fn visible(text: &str) -> String {
    text.chars().filter(|character| matches!(character, '\n' | '\t') || is_visible(*character)).collect()
}

/// Whether a character of a text only shows itself. Joiners and selectors that make one emoji of several stay, and so do
/// blank letters: in names they would deceive ([`printable`](crate::names::printable)), in texts they belong to scripts.
pub(crate) fn is_visible(character: char) -> bool {
    let reorders_or_hides = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e00ff}'
        | '\u{e01f0}'..='\u{e0fff}');
    !character.is_control() && !reorders_or_hides
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_of_a_peer_do_not_reach_the_terminal() {
        assert_eq!(visible("a\u{1b}]0;owned\u{7}b\nc\u{9b}2J"), "a]0;ownedb\nc2J");
        assert_eq!(visible("pay\u{202e}ecila\u{202c} bob"), "payecila bob");
        for hidden in
            ['\u{ad}', '\u{61c}', '\u{180e}', '\u{2028}', '\u{2029}', '\u{e0041}', '\u{206a}', '\u{200b}']
        {
            assert_eq!(visible(&format!("a{hidden}b")), "ab", "{hidden:?}");
        }
        let family = "\u{1f469}\u{200d}\u{1f467} \u{2764}\u{fe0f}";
        assert_eq!(visible(family), family);
    }

    #[test]
    fn causes_follow_their_error_once() {
        let error = anyhow::anyhow!("no space").context("cannot write: no space").context("cannot send");
        assert_eq!(chain(&error), "cannot send: cannot write: no space");
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
