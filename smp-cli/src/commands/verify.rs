//! `smp verify`: show or compare the security code, by which two people know that nobody sits between them.

use std::path::Path;

use anyhow::bail;
use serde_json::json;
use smp_agent::SecurityCode;

use crate::args::VerifyArgs;
use crate::exit::Exit;
use crate::names::argument;
use crate::output::{Code, Output};
use crate::scan;
use crate::session::Session;
use smp_chat::Contact;
use smp_chat::is_visible;

/// Digits of the shortest security code that ever occurs: a number of 256 bits has fewer once in ten million.
const SHORTEST_CODE: usize = 70;
/// Digits of the longest.
const LONGEST_CODE: usize = 78;

/// Takes the code from where it is.
pub(crate) fn resolve(mut args: VerifyArgs) -> anyhow::Result<VerifyArgs> {
    if let [picture] = args.code.as_slice()
        && scan::is_picture(picture)
    {
        args.code = vec![scan::digits_in(Path::new(picture))?];
    }
    Ok(args)
}

pub(super) async fn run(args: &VerifyArgs, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = session.contact(&args.contact.name).await?;
    let security_code = session.security_code(&contact).await?;
    let code = security_code.to_string();
    if args.code.is_empty() {
        show(&contact, &code, output)?;
        return Ok(Exit::DONE);
    }
    let sentence = compare(session, &contact, &security_code, &args.code.join(" ")).await?;
    output.result("verified", json!({ "contact": contact.name, "code": code }), &sentence);
    Ok(Exit::DONE)
}

/// Compares the code with what the user was told, and marks the contact if they are equal. Returns the sentence that says so.
pub(super) async fn compare(
    session: &Session,
    contact: &Contact,
    security_code: &SecurityCode,
    typed: &str,
) -> anyhow::Result<String> {
    let code = security_code.to_string();
    // Signs that people put around a code when they pass it on.
    let typed = typed.replace(is_around_codes, "");
    if !security_code.matches(&typed) {
        if !is_whole(&typed, &code) {
            bail!(
                "This is not a whole security code, so nothing was compared: a code is {SHORTEST_CODE} to {LONGEST_CODE} digits; \
                 copy all of it."
            );
        }
        bail!(
            "The codes differ. If both of you read them right, somebody is in the middle: \
             do not trust this contact, and connect again in another way."
        );
    }
    session.book().set_verified(contact, &code).await?;
    Ok(format!("The codes are equal: {} is verified.", contact.name))
}

fn is_around_codes(character: char) -> bool {
    !is_visible(character) || "<>()[]{}\"'`.,;:“”‘’«»*_-".contains(character)
}

fn show(contact: &Contact, code: &str, output: &Output) -> anyhow::Result<()> {
    let verified = contact.verified_code.as_deref() == Some(code);
    let fields = json!({ "contact": contact.name, "code": code, "verified": verified });
    output.result("security_code", fields, code);
    let name = &contact.name;
    output.hint(&format!(
        "\n{name} must see the same code. Compare it in another way than through this program,"
    ));
    output.hint(&format!("then mark it as compared: smp verify {} CODE\n", argument(name)));
    output.code(&Code::digits(code, &format!("smp verify {}", argument(name))))
}

/// Whether this may be a code as somebody else sees it: one that is different in earnest.
fn is_whole(typed: &str, code: &str) -> bool {
    let without_spaces = |text: &str| text.split_whitespace().collect::<String>();
    let (typed, code) = (without_spaces(typed), without_spaces(code));
    // The first or the last part of ours is one that was not copied whole.
    let is_part = code.starts_with(&typed) || code.ends_with(&typed);
    typed.bytes().all(|byte| byte.is_ascii_digit())
        && (SHORTEST_CODE..=LONGEST_CODE).contains(&typed.len())
        && !is_part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_code_can_differ() {
        let code: String = (0..77).map(|index| char::from(b'0' + index % 7)).collect();
        let other = code.replace('3', "4");
        assert!(is_whole(&other, &code));
        assert!(is_whole(&format!("{} {}", &other[..40], &other[40..]), &code));
        assert!(is_whole(&other[..70], &code));
        for part in ["abc", "", "12345", &other[..69], &code[..75], &code[2..], &format!("{other}11")] {
            assert!(!is_whole(part, &code), "{part}");
        }
        assert!(!is_whole(&other.replace('1', "l"), &code));
    }
}
