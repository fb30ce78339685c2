//! Repetition: runs of lines that stand twice, in one file or in two, of any crates.
//!
//! Lines are compared as rustfmt leaves them, without their indentation; blank lines, comments and everything under
//! `#[cfg(test)]` are left out.

use std::collections::HashMap;

/// Longest run, in lines, that may stand twice.
pub(crate) const LONGEST: usize = 12;

/// A line that says something.
pub(crate) struct Line<'a> {
    number: usize,
    text: &'a str,
}

/// The lines of a file that count.
pub(crate) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut found = Vec::new();
    let mut all = text.lines().zip(1..).peekable();
    while let Some((line, number)) = all.next() {
        let text = line.trim();
        if text == "#[cfg(test)]" {
            let attributes = |line: &str| line.trim_start().starts_with("#[");
            while all.next_if(|(line, _)| attributes(line)).is_some() {}
            skip_item(&mut all);
        } else if !text.is_empty() && !text.starts_with("//") {
            found.push(Line { number, text });
        }
    }
    found
}

/// Goes behind the item, field or statement that begins here: it ends in its first line, or where its closing bracket stands.
fn skip_item<'a>(lines: &mut impl Iterator<Item = (&'a str, usize)>) {
    let Some((first, _)) = lines.next() else { return };
    if first.ends_with([';', ',', '}']) {
        return;
    }
    let indentation = &first[..first.len() - first.trim_start().len()];
    let ends = |line: &str| {
        line.strip_prefix(indentation).is_some_and(|line| line.starts_with('}') || line.starts_with(");"))
    };
    let _ = lines.find(|(line, _)| ends(line));
}

/// Each run that is too long, where it stands first and where it stands again.
pub(crate) fn repeated(files: &[(String, Vec<Line<'_>>)]) -> Vec<String> {
    let mut known: HashMap<Vec<&str>, (usize, usize)> = HashMap::new();
    let mut found = Vec::new();
    for (file, (name, lines)) in files.iter().enumerate() {
        let mut before = None;
        for (at, run) in lines.windows(LONGEST + 1).enumerate() {
            let run: Vec<&str> = run.iter().map(|line| line.text).collect();
            let first = *known.entry(run).or_insert((file, at));
            let is_new = first == (file, at);
            // The same run, one line further.
            let goes_on = before == Some((first.0, first.1.wrapping_sub(1)));
            before = (!is_new).then_some(first);
            if !is_new && !goes_on {
                let (first_name, first_lines) = &files[first.0];
                found.push(format!(
                    "{first_name}:{} and {name}:{}",
                    first_lines[first.1].number, lines[at].number
                ));
            }
        }
    }
    found
}

#[test]
fn repetition_is_found() {
    let run: String = (0..=LONGEST).map(|number| format!("    step({number});\n")).collect();
    let one = format!("fn one() {{\n{run}}}\n");
    let two = format!("// Another.\nfn two() {{\n{}}}\n", run.replace("step(3)", "// Why.\n\n  step(3)"));
    let hidden = format!("#[cfg(test)]\n#[allow(x)]\nmod tests {{\n    fn three() {{\n{run}    }}\n}}\n");
    let files = |texts: &[&'static str]| -> Vec<(String, Vec<Line<'static>>)> {
        texts.iter().zip(["a", "b"]).map(|(text, name)| (name.to_owned(), lines(text))).collect()
    };
    let [one, two, hidden] = [one, two, hidden].map(|text| &*text.leak());
    assert_eq!(repeated(&files(&[one, two])), ["a:2 and b:3"]);
    assert_eq!(repeated(&files(&[one, hidden])), [""; 0]);
    let shorter = two.replacen("step(6)", "stop()", 1).leak();
    assert_eq!(repeated(&files(&[one, shorter])), [""; 0]);
}
