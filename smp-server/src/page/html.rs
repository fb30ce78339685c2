//! The page as HTML.

use std::borrow::Cow;

use super::content::Content;

/// The colours and the layout; the only thing that the page's policy lets a browser apply.
pub(super) const STYLE: &str = include_str!("style.css");

/// A table of facts. Rows without a value are left out.
pub(super) struct Section {
    title: &'static str,
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
pub(super) struct Value(String);

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
fn escape(text: &str) -> Cow<'_, str> {
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

/// The whole page.
pub(super) fn page(content: &Content) -> String {
    let title = escape(&content.title);
    let about: String = content.about.iter().map(|sentence| format!("<p>{sentence}</p>\n")).collect();
    let sections: String = content.sections.iter().map(section).collect();
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p class="lead">A relay of the SimpleX Messaging Protocol. It keeps messages, encrypted from end to end, until their recipients take them, and does not know who writes to whom.</p>
<section class="address" aria-labelledby="address">
<div>
<h2 id="address">Address</h2>
<p><code>{address}</code></p>
{about}</div>
{qr}
</section>
{sections}</main>
</body>
</html>
"#,
        address = escape(&content.address),
        qr = content.qr.as_deref().unwrap_or_default(),
    )
}

fn section(section: &Section) -> String {
    let rows: String =
        section.rows.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>\n", value.0)).collect();
    format!("<section>\n<h2>{}</h2>\n<dl>\n{rows}</dl>\n</section>\n", section.title)
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
