//! The causes of an error, in one line.

use std::error::Error;

/// An error and its causes, each behind a colon; a cause that was named already is not repeated.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        next = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Link(&'static str, #[source] Option<Box<Link>>);

    #[test]
    fn causes_follow_their_error_once() {
        let chain = |words: &[&'static str]| {
            words.iter().rev().fold(None, |cause, word| Some(Box::new(Link(word, cause)))).unwrap()
        };
        let line = with_causes(&*chain(&["cannot send", "cannot write: no space", "no space"]));
        assert_eq!(line, "cannot send: cannot write: no space");
        assert_eq!(with_causes(&*chain(&["alone"])), "alone");
    }
}
