//! Links between the pages of the repository, and to sections of them, lead somewhere.

use std::path::Path;

use crate::{files, read, root};

/// The anchor that a heading gets on code hosting sites.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(page: &str) -> Vec<String> {
    let mut code = false;
    let lines = page.lines().filter(|line| {
        code ^= line.starts_with("```");
        !code && line.starts_with('#')
    });
    lines.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// The targets of links to other files, and within the page.
fn targets(page: &str) -> Vec<&str> {
    let links = page.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let targets = links.map(|(target, _)| target);
    targets.filter(|target| !target.contains("://") && !target.contains([' ', '\n'])).collect()
}

fn check(path: &Path) -> usize {
    let page = read(path);
    let targets = targets(&page);
    for target in &targets {
        let (file, section) = target.split_once('#').map_or((*target, None), |(file, id)| (file, Some(id)));
        let place = if file.is_empty() { path.to_owned() } else { path.parent().unwrap().join(file) };
        assert!(place.exists(), "{}: no {target}", path.display());
        if let Some(section) = section {
            assert!(anchors(&read(&place)).iter().any(|a| a == section), "{}: no {target}", path.display());
        }
    }
    targets.len()
}

#[test]
fn links_lead_somewhere() {
    let top = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> =
        top.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    pages.push(root().join("fuzz/README.md"));
    for folder in ["protocol-spec", "docs"] {
        pages.extend(files(&root().join(folder), ".md"));
    }
    let links: usize = pages.iter().map(|page| check(page)).sum();
    println!("{links} links in {} pages", pages.len());
    assert!(links > 100);
}

#[test]
fn anchors_are_made() {
    assert_eq!(
        anchors("# 5.2 What the relay puts into `MSG`\n```\n# no\n```\n"),
        ["52-what-the-relay-puts-into-msg"]
    );
}
