//! The words of a command, one after the other.

use serde::de::DeserializeOwned;

use super::{Address, ChatRef, NotUnderstood};

/// The rest of a command that was not read yet.
pub(super) struct Reader<'a>(&'a str);

/// An error that says what should stand there.
pub(super) fn expected(what: &str) -> NotUnderstood {
    NotUnderstood(format!("expected {what}"))
}

impl<'a> Reader<'a> {
    pub(super) fn new(rest: &'a str) -> Self {
        Self(rest.trim_start())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fails if there is more.
    pub(super) fn end(&self) -> Result<(), NotUnderstood> {
        if self.is_empty() { Ok(()) } else { Err(expected("nothing more")) }
    }

    /// Whether a number comes next.
    pub(super) fn is_number(&self) -> bool {
        self.0.starts_with(|first: char| first.is_ascii_digit())
    }

    /// The next word; empty at the end.
    pub(super) fn word(&mut self) -> &'a str {
        let (word, rest) = self.0.split_once(char::is_whitespace).unwrap_or((self.0, ""));
        self.0 = rest.trim_start();
        word
    }

    /// All that is left.
    pub(super) fn take_all(&mut self) -> &'a str {
        std::mem::take(&mut self.0).trim_end()
    }

    /// Takes this word if it is the next one.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let mut ahead = Self(self.0);
        let is_it = ahead.word() == word;
        if is_it {
            self.0 = ahead.0;
        }
        is_it
    }

    /// Takes this word, which must be the next one.
    pub(super) fn expect(&mut self, word: &str) -> Result<(), NotUnderstood> {
        if self.take(word) { Ok(()) } else { Err(expected(word)) }
    }

    pub(super) fn number(&mut self) -> Result<i64, NotUnderstood> {
        self.word().parse().ok().filter(|number| *number >= 0).ok_or_else(|| expected("a number"))
    }

    pub(super) fn unsigned(&mut self) -> Result<u64, NotUnderstood> {
        self.word().parse().map_err(|_| expected("a number"))
    }

    /// Numbers with commas between them.
    pub(super) fn numbers(&mut self) -> Result<Vec<i64>, NotUnderstood> {
        let numbers = self.word().split(',').map(|number| number.parse().map_err(|_| expected("numbers")));
        numbers.collect()
    }

    /// A name, in quotation marks or not.
    pub(super) fn name(&mut self) -> Result<String, NotUnderstood> {
        match self.take_all().trim_matches('\'') {
            "" => Err(expected("a name")),
            name => Ok(name.trim_start_matches('@').to_owned()),
        }
    }

    /// `on` or `off`.
    pub(super) fn switch(&mut self) -> Result<bool, NotUnderstood> {
        switch(self.word())
    }

    /// `NAME=on` or `NAME=off`, if it comes next.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, NotUnderstood> {
        self.property(name).map(switch).transpose()
    }

    /// Whether another profile than the user's is to be shown.
    pub(super) fn incognito(&mut self) -> Result<bool, NotUnderstood> {
        Ok(self.flag("incognito")?.unwrap_or(false))
    }

    /// `NAME=NUMBER`, if it comes next.
    pub(super) fn value<T: std::str::FromStr>(&mut self, name: &str) -> Result<Option<T>, NotUnderstood> {
        let value = self.property(name).filter(|value| *value != "default");
        value.map(|value| value.parse().map_err(|_| expected("a number"))).transpose()
    }

    fn property(&mut self, name: &str) -> Option<&'a str> {
        let mut ahead = Self(self.0);
        let value = ahead.word().strip_prefix(name)?.strip_prefix('=')?;
        self.0 = ahead.0;
        Some(value)
    }

    /// A chat: `@NUMBER`, `@NAME`, `#NUMBER` or `:NUMBER`.
    pub(super) fn chat(&mut self) -> Result<ChatRef, NotUnderstood> {
        let number = |text: &str| text.parse().ok().filter(|number: &i64| *number >= 0);
        // A name in quotation marks has spaces.
        if let Some(rest) = self.0.strip_prefix("@'")
            && let Some((name, rest)) = rest.split_once('\'')
        {
            self.0 = rest.trim_start();
            return Ok(ChatRef::Contact(Address::Name(name.to_owned())));
        }
        let word = self.word();
        if let Some(contact) = word.strip_prefix('@').filter(|contact| !contact.is_empty()) {
            let address = number(contact).map_or_else(|| Address::Name(contact.to_owned()), Address::Number);
            return Ok(ChatRef::Contact(address));
        }
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        let other = match word.split_at_checked(1) {
            Some(("#", group)) => number(&digits(group)).map(ChatRef::Group),
            Some((":", connection)) => number(connection).map(ChatRef::Connection),
            _ => None,
        };
        other.ok_or_else(|| expected("a chat: @ and the number of a contact"))
    }

    /// A chat before the first word that is of this kind. SDKs write names with spaces as they are.
    pub(super) fn chat_before(&mut self, is_end: fn(&str) -> bool) -> Result<ChatRef, NotUnderstood> {
        let text = self.0;
        let chat = self.chat()?;
        if !matches!(chat, ChatRef::Contact(Address::Name(_))) || text.starts_with("@'") {
            return Ok(chat);
        }
        while !self.is_empty() {
            let end = text.len() - self.0.len();
            let mut ahead = Self(self.0);
            if is_end(ahead.word()) {
                return Ok(ChatRef::Contact(Address::Name(text[1..end].trim_end().to_owned())));
            }
            self.0 = ahead.0;
        }
        Err(expected("more behind the name"))
    }

    /// JSON up to the end.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, NotUnderstood> {
        serde_json::from_str(self.take_all()).map_err(|error| NotUnderstood(error.to_string()))
    }
}

fn switch(word: &str) -> Result<bool, NotUnderstood> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(expected("on or off")),
    }
}
