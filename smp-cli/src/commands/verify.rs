//! `smp verify`: show or compare the security code, by which two people know that nobody sits between them.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;

use crate::args::VerifyArgs;
use crate::book::Contact;
use crate::names::argument;
use crate::output::Output;
use crate::session::Session;

pub(super) async fn run(args: &VerifyArgs, session: &Session, output: Output) -> anyhow::Result<ExitCode> {
    let contact = session.book().require(&args.contact).await?;
    let code = session.security_code(&contact).await?;
    if args.code.is_empty() {
        show(&contact, &code, output);
        return Ok(ExitCode::SUCCESS);
    }
    if digits(&args.code.concat()) != digits(&code) {
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

fn digits(code: &str) -> String {
    code.chars().filter(char::is_ascii_digit).collect()
}
