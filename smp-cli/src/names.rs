//! Names of contacts as arguments of commands: a peer chooses them, and a person copies them into a shell.

/// The contact's name as an argument of a command that we suggest: whoever copies it runs nothing but that command, whatever
/// a peer calls itself. A name that every shell quotes in a way of its own is left for the user to type.
pub(crate) fn argument(name: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.' | '-');
    // Some shells take these for quotes, or for escapes within quotes.
    let breaks_quotes =
        |character: char| matches!(character, '\'' | '\\' | '!' | '\u{2018}'..='\u{201f}' | '\u{ff07}');
    let word = if name.chars().all(plain) {
        name.to_owned()
    } else if name.contains(breaks_quotes) {
        return "CONTACT".to_owned();
    } else {
        format!("'{name}'")
    };
    // Otherwise it would be taken for an option.
    if name.starts_with('-') { format!("-- {word}") } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_suggested_name_as_one_word() {
        let names = [
            "bob",
            "Ольга",
            "anna maria",
            "$(touch /tmp/owned)",
            "`id`",
            "a;b",
            "a|b",
            "a>b",
            "~root",
            "*",
            "\"x\"",
            "#x",
            "--help",
            "-v x",
            "a&b",
            "{a,b}",
            "=ls",
        ];
        for name in names {
            let script = format!("for word in {}; do printf '%s\\n' \"$word\"; done", argument(name));
            let shell = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            let words = String::from_utf8(shell.stdout).unwrap();
            let words: Vec<&str> = words.lines().collect();
            let expected = if name.starts_with('-') { vec!["--", name] } else { vec![name] };
            assert_eq!(words, expected, "{script}");
        }
        for name in ["O'Brien", "a\\", "x\u{2019}; id", "wow!"] {
            assert_eq!(argument(name), "CONTACT", "{name}");
        }
    }

    #[test]
    fn a_suggested_name_is_not_taken_for_an_option() {
        use clap::Parser as _;
        for name in ["--help", "-x", "bob"] {
            let line = format!("smp verify {}", argument(name));
            let cli = crate::args::Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(
                matches!(cli.command, Some(crate::args::Command::Verify(args)) if args.contact.name == name),
                "{line}"
            );
        }
    }
}
