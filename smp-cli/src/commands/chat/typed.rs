//! A line that was typed into a conversation: a text, or a command.

/// The commands, as they are listed.
pub(super) const HELP: &str = "/reply 12 TEXT answers message 12, /edit 12 TEXT and /delete 12 change one of yours, /react 12 👍 gives it an emoji. /code shows the security code, /verify CODE compares it with the one that they read to you, /help shows this, \
                               /quit or Ctrl-D ends. //text sends a text that begins with a slash.";

/// A line that was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed<'a> {
    Nothing,
    /// To be sent.
    Text(&'a str),
    /// An answer to the message of this number.
    Reply(i64, &'a str),
    /// Other words for the message of this number.
    Edit(i64, &'a str),
    /// The number of the message to take back.
    Delete(i64),
    /// An emoji for the message of this number.
    React(i64, &'a str),
    Code,
    /// The code to compare with.
    Verify(&'a str),
    Help,
    Quit,
    /// It begins as a command and is none: it must not leave the machine.
    Unknown(&'a str),
}

/// Tells texts from commands. A line that begins with one slash is never a text.
pub(super) fn read(line: &str) -> Typed<'_> {
    let line = line.trim();
    if line.is_empty() {
        return Typed::Nothing;
    }
    let Some(command) = line.strip_prefix('/') else { return Typed::Text(line) };
    if command.starts_with('/') {
        return Typed::Text(command);
    }
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    match (word, rest.trim()) {
        ("reply" | "edit" | "delete" | "react", rest) => about(word, rest),
        ("code", "") | ("verify", "") => Typed::Code,
        ("verify", code) => Typed::Verify(code),
        ("help" | "?" | "h", "") => Typed::Help,
        ("quit" | "exit" | "q", "") => Typed::Quit,
        _ => Typed::Unknown(word),
    }
}

/// A command about a message: its number, and what comes behind it.
fn about<'a>(word: &'a str, rest: &'a str) -> Typed<'a> {
    let (number, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let Ok(number) = number.strip_prefix('#').unwrap_or(number).parse() else { return Typed::Unknown(word) };
    match (word, text.trim()) {
        ("delete", "") => Typed::Delete(number),
        ("delete", _) | (_, "") => Typed::Unknown(word),
        ("reply", text) => Typed::Reply(number, text),
        ("edit", text) => Typed::Edit(number, text),
        (_, emoji) => Typed::React(number, emoji),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_begins_with_one_slash_is_a_text() {
        for line in [
            "/hlep",
            "/remove bob",
            "/quit now",
            "/code please",
            "/",
            "/ hello",
            "/etc/passwd",
            "  /exit now",
            "/\n/x",
            "/Quit",
            "/reply",
            "/reply 12",
            "/reply twelve yes",
            "/edit 12 ",
            "/delete",
            "/delete 12 now",
            "/react 12",
        ] {
            assert!(matches!(read(line), Typed::Unknown(_)), "{line}: {:?}", read(line));
        }
        for (line, typed) in [
            (" /quit ", Typed::Quit),
            ("/exit", Typed::Quit),
            ("/help", Typed::Help),
            ("/code", Typed::Code),
            ("/verify", Typed::Code),
            ("/verify 12345 67890", Typed::Verify("12345 67890")),
            ("/reply 12 yes, do", Typed::Reply(12, "yes, do")),
            ("/edit #12 yes", Typed::Edit(12, "yes")),
            ("/delete 12", Typed::Delete(12)),
            ("/react 12 👍", Typed::React(12, "👍")),
            ("//quit", Typed::Text("/quit")),
            ("///", Typed::Text("//")),
            ("//", Typed::Text("/")),
            ("a /quit", Typed::Text("a /quit")),
            (" hello ", Typed::Text("hello")),
            ("  ", Typed::Nothing),
        ] {
            assert_eq!(read(line), typed);
        }
    }
}
