//! A Rust source file as modules see it: its children, its imports, and the paths that it uses.
//!
//! Read from tokens, without a parser: comments, literals and everything under `#[cfg(test)]` are left out. Macros are not
//! expanded, so that a path inside a macro's arguments counts, and one that a macro makes does not.

/// One file.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Names in `mod name;`, and whether anybody else can see the module.
    pub(crate) children: Vec<(String, bool)>,
    /// Leaves of `use`.
    pub(crate) imports: Vec<Import>,
    /// Paths of two names or more, outside `use`.
    pub(crate) paths: Vec<Vec<String>>,
    /// Macros that are defined here; exported ones are used as if the root had defined them.
    pub(crate) macros: Vec<String>,
}

/// A leaf of `use`, as `path as name`; a glob has the name `*`.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    pub(crate) name: String,
}

impl Source {
    pub(crate) fn read(text: &str) -> Self {
        let tokens = without_tests(&tokens(text));
        let mut source = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            at = source.item(&tokens, at);
        }
        source
    }

    /// Reads what begins here, and returns where it ends.
    fn item(&mut self, tokens: &[String], at: usize) -> usize {
        match tokens[at].as_str() {
            "mod" if tokens.get(at + 2).is_some_and(|token| token == ";") => {
                let is_private =
                    !at.checked_sub(1).is_some_and(|before| matches!(&*tokens[before], "pub" | ")"));
                self.children.push((tokens[at + 1].clone(), is_private));
                at + 3
            }
            "macro_rules" if tokens.get(at + 1).is_some_and(|token| token == "!") => {
                self.macros.extend(tokens.get(at + 2).cloned());
                at + 3
            }
            "use" => {
                let end =
                    tokens[at..].iter().position(|token| token == ";").map_or(tokens.len(), |end| at + end);
                self.tree(&mut tokens[at + 1..end].iter().peekable(), &[]);
                end + 1
            }
            _ if is_name(&tokens[at]) => {
                let mut path = vec![tokens[at].clone()];
                let mut end = at + 1;
                while end + 1 < tokens.len() && tokens[end] == "::" && is_name(&tokens[end + 1]) {
                    path.push(tokens[end + 1].clone());
                    end += 2;
                }
                if path.len() > 1 && !(at > 0 && tokens[at - 1] == "::") {
                    self.paths.push(path);
                }
                end
            }
            _ => at + 1,
        }
    }

    /// Reads a tree of `use` behind this path.
    fn tree<'a>(
        &mut self,
        tokens: &mut std::iter::Peekable<impl Iterator<Item = &'a String>>,
        before: &[String],
    ) {
        let mut path = before.to_vec();
        let mut name = None;
        while let Some(token) = tokens.peek().map(|token| token.as_str()) {
            match token {
                "}" | "," => break,
                "{" => {
                    tokens.next();
                    while tokens.peek().is_some_and(|token| *token != "}") {
                        self.tree(tokens, &path);
                        if tokens.peek().is_some_and(|token| *token == ",") {
                            tokens.next();
                        }
                    }
                    tokens.next();
                    return;
                }
                "as" => {
                    tokens.next();
                    name = tokens.next().cloned();
                    continue;
                }
                "::" => {}
                "*" => name = Some("*".to_owned()),
                part => path.push(part.to_owned()),
            }
            tokens.next();
        }
        // `use a::{self}` is `use a`.
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let Some(last) = path.last().cloned() else { return };
        self.imports.push(Import { path, name: name.unwrap_or(last) });
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Names, `::`, and single characters; no comments, no literals.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        let (length, token) = match rest {
            ['/', '/', ..] => (rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()), None),
            ['/', '*', ..] => (comment(rest), None),
            ['"', ..] => (string(rest), None),
            ['\'', '\\', ..] => {
                (2 + rest[2..].iter().skip(1).position(|c| *c == '\'').map_or(0, |end| end + 2), None)
            }
            ['\'', _, '\'', ..] => (3, None),
            ['\'', ..] => (1, None),
            ['r' | 'b', ..] if raw(rest).is_some() => (raw(rest).unwrap_or(1), None),
            [':', ':', ..] => (2, Some("::".to_owned())),
            [first, ..] if first.is_alphanumeric() || *first == '_' => {
                let name: String = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
                (name.chars().count(), Some(name))
            }
            [first, ..] if !first.is_whitespace() => (1, Some(first.to_string())),
            _ => (1, None),
        };
        tokens.extend(token);
        at += length.max(1);
    }
    tokens
}

/// Length of a comment, which may have others in it.
fn comment(chars: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < chars.len() {
        match chars[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Length of a string that begins here.
fn string(chars: &[char]) -> usize {
    let mut at = 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Length of `r"…"`, `r#"…"#`, `b"…"` or `br"…"`, if that begins here.
fn raw(chars: &[char]) -> Option<usize> {
    let prefix = chars.iter().take_while(|c| matches!(c, 'r' | 'b')).count();
    let hashes = chars[prefix..].iter().take_while(|c| **c == '#').count();
    if prefix > 2 || chars.get(prefix + hashes) != Some(&'"') {
        return None;
    }
    let is_raw = chars[..prefix].contains(&'r');
    if !is_raw {
        return (hashes == 0).then(|| prefix + string(&chars[prefix..]));
    }
    let begin = prefix + hashes + 1;
    let ends = |at: &usize| {
        chars[*at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (begin..chars.len()).find(ends).map(|end| end + 1 + hashes)
}

/// Without items under `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].len() >= MARK.len()
            && tokens[at..].iter().zip(MARK).all(|(token, mark)| token == mark)
        {
            at = end_of_item(tokens, at + MARK.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Behind the `;`, or the `}` of the body, of the item that begins here.
fn end_of_item(tokens: &[String], begin: usize) -> usize {
    let is_use = tokens[begin..].iter().take_while(|token| *token != "{").any(|token| token == "use");
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(begin) {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token == "}" && !is_use {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            // A field or an argument.
            "," if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

#[test]
fn what_a_file_says_is_read() {
    let source = Source::read(
        r##"
        //! use not::this;
        mod a;
        pub(crate) mod b;
        #[cfg(test)]
        mod tests { use super::hidden::Thing; fn x() {} }
        use crate::{c::{self, D as E}, f::g};
        pub use self::a::*;
        const TEXT: &str = r#"use in::text;"#;
        fn h<'a>(x: &'a str) -> char { super::i::j(x, '"'); '\'' }
        #[cfg(test)]
        use crate::only::tests;
        fn k() { l::m::n() }
        "##,
    );
    assert_eq!(source.children, [("a".to_owned(), true), ("b".to_owned(), false)]);
    let imports: Vec<_> =
        source.imports.iter().map(|i| format!("{} as {}", i.path.join("::"), i.name)).collect();
    assert_eq!(imports, ["crate::c as c", "crate::c::D as E", "crate::f::g as g", "self::a as *"]);
    let paths: Vec<_> = source.paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["super::i::j", "l::m::n"]);
}
