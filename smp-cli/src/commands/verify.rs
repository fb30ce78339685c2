//! `smp verify`: show or compare the security code, by which two people know that nobody sits between them.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;

use crate::args::VerifyArgs;
use crate::book::Contact;
use crate::names::argument;
use crate::output::Output;
use crate::session::Session;

/// Digits of the shortest security code that ever occurs: a number of 256 bits has fewer once in ten million.
const SHORTEST_CODE: usize = 70;
/// Digits of the longest.
const LONGEST_CODE: usize = 78;

pub(super) async fn run(args: &VerifyArgs, session: &Session, output: Output) -> anyhow::Result<ExitCode> {
    let contact = session.book().require(&args.contact).await?;
    let security_code = session.security_code(&contact).await?;
    let code = security_code.to_string();
    if args.code.is_empty() {
        show(&contact, &code, output);
        return Ok(ExitCode::SUCCESS);
    }
    let typed = args.code.join(" ");
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
    session.book().set_verified(&contact, &code).await?;
    let sentence = format!("The codes are equal: {} is verified.", contact.name);
    output.result("verified", json!({ "contact": contact.name, "code": code }), &sentence);
    Ok(ExitCode::SUCCESS)
}

fn show(contact: &Contact, code: &str, output: Output) {
    let verified = contact.verified_code.as_deref() == Some(code);
    let fields = json!({ "contact": contact.name, "code": code, "verified": verified });
    output.result("security_code", fields, code);
    if !output.is_json() {
        let name = &contact.name;
        eprintln!("\n{name} must see the same code. Compare it in another way than through this program,");
        eprintln!("then mark it as compared: smp verify {} CODE", argument(name));
    }
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
