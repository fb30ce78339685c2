//! The terminal, or pipe, in which this process was started.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::output::{Code, Screen, with_event};
use crate::qr::{Drawing, Picture};

/// Standard output and standard error of this process.
pub(crate) struct Terminal {
    json: bool,
    /// The file that the next code is written to.
    picture: Mutex<Option<Picture>>,
}

impl Terminal {
    pub(crate) fn new(json: bool, picture: Option<Picture>) -> Self {
        Self { json, picture: Mutex::new(picture) }
    }

    fn draw(&self, code: &Code, has_picture: bool) {
        // A link that is too long for any code is passed on as text.
        let Ok(drawing) = Drawing::of(&code.text) else { return };
        if !io::stdout().is_terminal() {
            if code.in_pipes {
                print(&drawing.plain());
            }
            return;
        }
        match window().and_then(|window| too_small(&drawing, window, code.again.as_deref())) {
            None => print(&drawing.coloured()),
            Some(_) if has_picture => {}
            Some(sentence) => self.err(&sentence),
        }
    }
}

impl Screen for Terminal {
    fn out(&self, line: &str) {
        print(&format!("{line}\n"));
    }

    fn err(&self, line: &str) {
        eprintln!("{line}");
    }

    /// Drawn if it stays whole in the window, and into the file that was asked for. Without the command that shows it once more, a
    /// code that is too high is drawn all the same.
    fn code(&self, code: &Code) -> anyhow::Result<()> {
        let picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner).take();
        if !self.json {
            self.draw(code, picture.is_some());
        }
        if let Some(picture) = picture {
            let path = picture.write(&code.text)?.display().to_string();
            if self.json {
                self.out(&with_event("qr", json!({ "file": path })).to_string());
            } else {
                self.err(&format!("The QR code is in {path}."));
            }
        }
        Ok(())
    }
}

/// Columns and lines of the window, if it tells them.
fn window() -> Option<(usize, usize)> {
    let (width, height) = terminal_size::terminal_size_of(io::stdout())?;
    Some((width.0.into(), height.0.into()))
}

/// Advice where the code does not fit; none if it does.
fn too_small(drawing: &Drawing, (columns, lines): (usize, usize), again: Option<&str>) -> Option<String> {
    let needed = drawing.window_lines();
    if drawing.columns() <= columns && (needed <= lines || again.is_none()) {
        return None;
    }
    let size = format!(
        "The QR code needs a terminal window of {} columns and {needed} lines; this one has {columns} and {lines}.",
        drawing.columns()
    );
    Some(match again {
        Some(command) => format!(
            "{size}\nMake the window larger (or its letters smaller) and run: {command}\nOr have it in a file: {command} --qr code.png"
        ),
        None => size,
    })
}

/// Prints and flushes: a program that reads us must not wait for a full buffer. A line that cannot be printed ends the program, so
/// that it does not count as shown; quietly if the reader has seen enough.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("smp: standard output cannot be written: {error}");
            std::process::exit(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_is_too_small_is_told_what_is_needed() {
        let drawing = Drawing::of(&"x".repeat(153)).unwrap();
        assert_eq!((drawing.columns(), drawing.window_lines()), (47, 25));
        let again = Some("smp invite bob");
        assert_eq!(too_small(&drawing, (47, 25), again), None);
        assert_eq!(too_small(&drawing, (80, 24), None), None);
        for window in [(46, 60), (80, 24)] {
            let sentence = too_small(&drawing, window, again).unwrap();
            assert!(
                sentence.contains("47 columns and 25 lines") && sentence.contains("bob --qr code.png"),
                "{sentence}"
            );
        }
        assert!(too_small(&drawing, (40, 60), None).is_some());
    }
}
