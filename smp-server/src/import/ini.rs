//! INI text: sections in brackets, `name = value` or `name: value`, comments that begin with `#` or `;`.

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) section: String,
    pub(super) name: String,
    pub(super) value: String,
    /// Its line, from 1.
    pub(super) line: u64,
}

/// The settings of a file, in order.
#[derive(Debug, Default)]
pub(super) struct Ini(Vec<Entry>);

impl Ini {
    /// Reads a file; an error is the number of a line that is none of the above.
    pub(super) fn read(text: &str) -> Result<Self, u64> {
        let mut section = String::new();
        let mut entries = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                section = name.strip_suffix(']').ok_or(number)?.trim().to_owned();
                continue;
            }
            let (name, value) = line.split_once(['=', ':']).ok_or(number)?;
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            entries.push(Entry { section: section.clone(), name, value, line: number });
        }
        Ok(Self(entries))
    }

    /// The value of a setting that is there and not empty.
    pub(super) fn get(&self, section: &str, name: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.section == section && entry.name == name && !entry.value.is_empty())
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn settings_are_found_in_their_sections() {
        let ini = Ini::read("# c\n[A]\nx = 1\ny: a=b\n; c\n\n[B]\nx=2\nz =\n").unwrap();
        let value = |section, name| ini.get(section, name).map(|entry| entry.value.as_str());
        assert_eq!(value("A", "x"), Some("1"));
        assert_eq!(value("A", "y"), Some("a=b"));
        assert_eq!(value("B", "x"), Some("2"));
        assert_eq!(value("B", "z"), None);
        assert_eq!(value("C", "x"), None);
        assert_eq!(ini.get("B", "x").map(|entry| entry.line), Some(8));
        assert_eq!(Ini::read("[A]\nwhat").unwrap_err(), 2);
        assert_eq!(Ini::read("[A\n").unwrap_err(), 1);
    }

    proptest! {
        #[test]
        fn any_text_does_no_harm(text: String) {
            let _ = Ini::read(&text);
        }
    }
}
