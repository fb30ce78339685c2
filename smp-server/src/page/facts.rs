//! `Section` and `Value`: what the page says, safe to be put into HTML.

use std::borrow::Cow;

/// A table of facts. Rows without a value are left out.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) rows: Vec<(&'static str, Value)>,
}

impl Section {
    pub(super) fn new<const N: usize>(title: &'static str, rows: [(&'static str, Option<Value>); N]) -> Self {
        let rows = rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Self { title, rows }
    }
}

/// HTML of a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value(pub(super) String);

impl Value {
    pub(super) fn text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(escape(text).into_owned()))
    }

    /// A link if it leads to a place that a link may lead to; otherwise the text alone.
    pub(super) fn link(text: &str) -> Option<Self> {
        let is_link = ["https://", "http://", "simplex:"].iter().any(|scheme| text.starts_with(scheme));
        if is_link { Some(Self::anchor(text, text)) } else { Self::text(text) }
    }

    pub(super) fn mail(text: &str) -> Option<Self> {
        let is_address =
            text.contains('@') && !text.contains(|c: char| c.is_whitespace() || "?&<>:/".contains(c));
        if is_address { Some(Self::anchor(&format!("mailto:{text}"), text)) } else { Self::text(text) }
    }

    fn anchor(target: &str, text: &str) -> Self {
        Self(format!(r#"<a href="{}" rel="noreferrer">{}</a>"#, escape(target), escape(text)))
    }
}

/// Text that has no meaning in HTML, inside and outside of quotes.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_be_smuggled_in() {
        let evil = r#"<script>alert("1")</script>&'"#;
        let safe = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;";
        assert_eq!(Value::text(evil), Some(Value(safe.to_owned())));
        assert_eq!(Value::link(evil), Value::text(evil));
        assert_eq!(Value::link("javascript:alert(1)"), Value::text("javascript:alert(1)"));
        assert_eq!(Value::mail(evil), Value::text(evil));
        let link = Value::link(r#"https://a/"onclick="x"#).unwrap();
        assert!(!link.0.contains(r#""onclick"#), "{link:?}");
        assert_eq!(Value::text(""), None);
    }

    #[test]
    fn links_and_mail_addresses_can_be_followed() {
        for (value, target) in [
            (Value::link("https://relay.example/x?a=1"), "href=\"https://relay.example/x?a=1\""),
            (Value::link("simplex:/contact#x"), "href=\"simplex:/contact#x\""),
            (Value::mail("admin@relay.example"), "href=\"mailto:admin@relay.example\""),
        ] {
            assert!(value.unwrap().0.contains(target), "{target}");
        }
    }
}
