//! The page as HTML.

use super::{
    content::Content,
    facts::{Section, escape},
};

/// The colours and the layout; the only thing that the page's policy lets a browser apply.
pub(super) const STYLE: &str = include_str!("style.css");

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
