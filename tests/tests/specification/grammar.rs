//! The ABNF of all chapters is one grammar: each rule is defined once, and none is missing.

use std::collections::{BTreeMap, BTreeSet};

use crate::pages;

/// The core rules of RFC 5234 that the chapters use.
const CORE: [&str; 5] = ["ALPHA", "DIGIT", "HEXDIG", "OCTET", "SP"];

/// A token in the definition of a rule.
#[derive(Debug, PartialEq)]
enum Token {
    Rule(String),
    Other,
}

/// The line without its comment.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let comment = line.char_indices().find(|&(_, c)| {
        quoted ^= c == '"';
        c == ';' && !quoted
    });
    comment.map_or(line, |(at, _)| &line[..at]).trim_end()
}

/// Takes a definition apart.
///
/// # Panics
/// If it is not ABNF (RFC 5234 with RFC 7405).
fn tokens(definition: &str) -> Vec<Token> {
    let mut rest = definition.trim_start();
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            'A'..='Z' | 'a'..='z' => {
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len())
            }
            '0'..='9' | '*' | '(' | ')' | '[' | ']' | '/' => 1,
            '"' => rest[1..].find('"').expect("a closing quote") + 2,
            '<' => rest.find('>').expect("a closing bracket") + 1,
            '%' if rest.starts_with("%s\"") || rest.starts_with("%i\"") => {
                rest[3..].find('"').expect("a closing quote") + 4
            }
            '%' if rest.starts_with("%x") => {
                2 + rest[2..].find(|c: char| !c.is_ascii_hexdigit() && c != '-').unwrap_or(rest.len() - 2)
            }
            _ => panic!("not ABNF: {rest}"),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(if first.is_ascii_alphabetic() { Token::Rule(token.to_owned()) } else { Token::Other });
        rest = after.trim_start();
    }
    tokens
}

/// The rules of a block: names and definitions. A line that begins with a space continues the one before it.
fn rules(block: &str) -> Vec<(String, String)> {
    let mut rules: Vec<(String, String)> = Vec::new();
    for line in block.lines().map(without_comment).filter(|line| !line.is_empty()) {
        if line.starts_with(' ') {
            let (_, definition) = rules.last_mut().expect("a rule before its second line");
            definition.push_str(line);
        } else {
            let (name, definition) = line.split_once('=').unwrap_or_else(|| panic!("not a rule: {line}"));
            rules.push((name.trim().to_owned(), definition.to_owned()));
        }
    }
    rules
}

#[test]
fn every_rule_is_defined_once() {
    let mut defined: BTreeMap<String, String> = BTreeMap::new();
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (page, text) in pages() {
        for block in text.split("```abnf\n").skip(1).map(|rest| rest.split_once("```").unwrap().0) {
            for (name, definition) in rules(block) {
                let place = format!("{page}: {name}");
                for token in tokens(&definition) {
                    if let Token::Rule(rule) = token {
                        used.entry(rule).or_default().insert(place.clone());
                    }
                }
                // Names of rules do not depend on case.
                if let Some(other) = defined.insert(name.to_lowercase(), place.clone()) {
                    panic!("defined twice: {other} and {place}");
                }
            }
        }
    }
    let known = |rule: &str| CORE.contains(&rule) || defined.contains_key(&rule.to_lowercase());
    let missing: Vec<_> = used.iter().filter(|(rule, _)| !known(rule)).collect();
    assert!(missing.is_empty(), "used and not defined: {missing:#?}");
    assert!(defined.len() > 200, "only {} rules", defined.len());
    println!("{} rules", defined.len());
}

#[test]
fn abnf_is_taken_apart() {
    let rules = rules("a = %s\"x;\" b / ; comment\n    *2c-1 [%x00-FE] <any thing>\n");
    assert_eq!(rules.len(), 1);
    let names: Vec<_> = tokens(&rules[0].1).into_iter().filter(|token| *token != Token::Other).collect();
    assert_eq!(names, [Token::Rule("b".into()), Token::Rule("c-1".into())]);
}
