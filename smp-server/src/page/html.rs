//! The page as HTML.

use super::{
    content::Content,
    facts::{Section, escape},
    link::{EXPOSED, Link},
};

/// The colours and the layout; the only thing that the page's policy lets a browser apply.
pub(super) const STYLE: &str = include_str!("style.css");

/// A page around its content, which is HTML.
fn document(title: &str, content: &str) -> String {
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
{content}</main>
</body>
</html>
"#
    )
}

/// The page for a link of this kind. Nothing of the request is on it.
pub(super) fn link_page(link: Link) -> String {
    let (title, about) = link.about();
    let content = format!(
        r##"<p class="lead">{about}</p>
<section>
<h2>What to do</h2>
<ol>
<li>Copy the whole address from the address bar of this browser, from <b>https://</b> to the last letter behind the <b>#</b>.</li>
<li>Open your messaging app. If you have none yet, install one first: <a href="https://simplex.chat/downloads/" rel="noreferrer">SimpleX Chat</a> is for phones and computers.</li>
<li>Choose to connect by a link, and paste the address there. If you have the link as a QR code, let the app scan it instead.</li>
</ol>
</section>
<section>
<h2>What this server knows</h2>
<p>The secret part of the link is what stands behind the <b>#</b>. Browsers do not send it: it has not reached this relay, which knows only that somebody has looked at this page. The page has no scripts, and loads nothing from elsewhere.</p>
<p>Whoever has the whole address can use the link. Do not pass it on, nor paste it anywhere but into your app, unless it is meant for everybody.</p>
</section>
"##
    );
    document(title, &content)
}

/// The page for a link whose secret was sent to the relay.
pub(super) fn exposed_page() -> String {
    let (title, sentences) = EXPOSED;
    let sentences: String = sentences.iter().map(|sentence| format!("<p>{sentence}</p>\n")).collect();
    document(title, &format!("<section>\n{sentences}</section>\n"))
}

/// The whole page about the relay.
pub(super) fn page(content: &Content) -> String {
    let title = escape(&content.title);
    let about: String = content.about.iter().map(|sentence| format!("<p>{sentence}</p>\n")).collect();
    let sections: String = content.sections.iter().map(section).collect();
    let content = format!(
        r#"<p class="lead">A relay of the SimpleX Messaging Protocol. It keeps messages, encrypted from end to end, until their recipients take them, and does not know who writes to whom.</p>
<section class="address" aria-labelledby="address">
<div>
<h2 id="address">Address</h2>
<p><code>{address}</code></p>
{about}</div>
{qr}
</section>
{sections}"#,
        address = escape(&content.address),
        qr = content.qr.as_deref().unwrap_or_default(),
    );
    document(&title, &content)
}

fn section(section: &Section) -> String {
    let rows: String =
        section.rows.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>\n", value.0)).collect();
    format!("<section>\n<h2>{}</h2>\n<dl>\n{rows}</dl>\n</section>\n", section.title)
}
