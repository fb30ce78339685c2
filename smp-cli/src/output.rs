//! The output of a command: sentences for people, or with `--json` one object per line for programs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use smp_transport::causes::with_causes;

use smp_chat::visible;

/// A place where whole lines, and codes to be scanned, appear: a terminal, or the process that asked this one.
pub(crate) trait Screen: Send + Sync {
    /// A line of standard output.
    fn out(&self, line: &str);

    /// A line of standard error.
    fn err(&self, line: &str);

    /// Draws a QR code.
    ///
    /// # Errors
    /// If the file that was asked for cannot be written.
    fn code(&self, code: &Code) -> anyhow::Result<()>;
}

/// A text to be drawn as a QR code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) text: String,
    /// The command that shows it once more.
    pub(crate) again: Option<String>,
    /// Whether it is drawn in pipes too: not where a program reads the result before it.
    pub(crate) in_pipes: bool,
}

impl Code {
    /// Of a link.
    pub(crate) fn link(link: &str, again: Option<&str>) -> Self {
        Self { text: link.to_owned(), again: again.map(str::to_owned), in_pipes: true }
    }

    /// Of a security code.
    pub(crate) fn digits(digits: &str, again: &str) -> Self {
        Self { text: digits.to_owned(), again: Some(again.to_owned()), in_pipes: false }
    }
}

/// Where results go. Results are on standard output; what only explains them is on standard error.
#[derive(Clone)]
pub(crate) struct Output {
    json: bool,
    screen: Arc<dyn Screen>,
}

impl Output {
    /// To this screen, for a program if `json`.
    pub(crate) fn new(json: bool, screen: impl Screen + 'static) -> Self {
        Self { json, screen: Arc::new(screen) }
    }

    /// Whether the reader is a program.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A result: `sentence` for people, `fields` with the name of the event for programs.
    pub(crate) fn result(&self, event: &str, fields: Value, sentence: &str) {
        if self.json {
            self.out(&with_event(event, fields).to_string());
        } else {
            self.out(&visible(sentence));
        }
    }

    /// Results that are printed together, each as [`result`](Self::result) would be.
    pub(crate) fn results<T>(
        &self,
        event: &str,
        results: &[T],
        fields: impl Fn(&T) -> Value,
        sentence: impl Fn(&T) -> String,
    ) {
        let line = |result: &T| match self.json {
            true => with_event(event, fields(result)).to_string(),
            false => visible(&sentence(result)).to_string(),
        };
        let lines: Vec<String> = results.iter().map(line).collect();
        if !lines.is_empty() {
            self.out(&lines.join("\n"));
        }
    }

    /// Something that explains a result and is not one.
    pub(crate) fn note(&self, event: &str, fields: Value, sentence: &str) {
        if self.json {
            self.out(&with_event(event, fields).to_string());
        } else {
            self.err(&visible(sentence));
        }
    }

    /// An explanation that programs do not need.
    pub(crate) fn hint(&self, sentence: &str) {
        if !self.json {
            self.err(&visible(sentence));
        }
    }

    /// Something to be scanned; see [`Screen::code`].
    pub(crate) fn code(&self, code: &Code) -> anyhow::Result<()> {
        self.screen.code(code)
    }

    /// The reason for which the program ends without success.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let sentence = with_causes(error.as_ref());
        if self.json {
            self.out(&with_event("error", json!({ "message": sentence })).to_string());
        } else {
            self.err(&format!("smp: {}", visible(&sentence)));
        }
    }

    /// A whole line of standard output, as it is.
    pub(crate) fn out(&self, line: &str) {
        self.screen.out(line);
    }

    /// A whole line of standard error, as it is.
    pub(crate) fn err(&self, line: &str) {
        self.screen.err(line);
    }
}

/// An object for programs: `fields`, with the name of the event.
pub(crate) fn with_event(event: &str, mut fields: Value) -> Value {
    fields["event"] = json!(event);
    fields
}
