//! The terminal, taken for the whole screen, and given back however the program ends.

use std::io::{self, Stdout, stdout};
use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync + 'static>;

/// The screen. Dropping it gives the terminal back, also while a panic unwinds.
pub(super) struct Screen {
    pub(super) terminal: Terminal<CrosstermBackend<Stdout>>,
    /// Reports of panics, which are told when the terminal is as it was.
    reports: Arc<Mutex<Vec<String>>>,
    /// Takes what panicked before.
    before: Arc<Mutex<Option<Hook>>>,
}

impl Screen {
    /// Takes the terminal. Reports of panics wait until it is given back: on the screen they would be drawn over.
    pub(super) fn take() -> anyhow::Result<Self> {
        let unusable =
            "This terminal cannot be drawn in; use `smp chat CONTACT`, or `smp listen` and `smp send`";
        let terminal = Terminal::new(CrosstermBackend::new(stdout())).context(unusable)?;
        let reports = Arc::new(Mutex::new(Vec::new()));
        let before = Arc::new(Mutex::new(Some(std::panic::take_hook())));
        let kept = reports.clone();
        std::panic::set_hook(Box::new(move |panic| {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string());
        }));
        let screen = Self { terminal, reports, before };
        enable_raw_mode().context(unusable)?;
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste).context(unusable)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone: then there is nobody to give it back to.
        let _ = give_back();
        // Setting a hook is refused while a panic unwinds.
        if !std::thread::panicking()
            && let Some(hook) = self.before.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            std::panic::set_hook(hook);
        }
        for report in self.reports.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            eprintln!("smp: {report}");
        }
    }
}

fn give_back() -> io::Result<()> {
    let raw = disable_raw_mode();
    execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show)?;
    raw
}
