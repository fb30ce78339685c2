//! A terminal without a window: a program in a PTY, and its screen as the program has drawn it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

/// Longer than anything in a terminal takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that are read at a time.
const CHUNK: usize = 64 * 1024;

/// A program in a terminal.
pub struct Terminal {
    keyboard: File,
    /// Our own handle of the program's side, to look at its mode.
    inside: OwnedFd,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// All that the program has written.
    raw: Vec<u8>,
    child: Child,
}

impl Terminal {
    /// Starts a program in a terminal of this size.
    ///
    /// # Errors
    /// If there is no PTY, or the program cannot be started.
    pub fn start(mut command: Command, rows: u16, columns: u16) -> Result<Self> {
        let pty = openpty(Some(&size(rows, columns)), None).context("there is no PTY")?;
        let end = || pty.slave.try_clone().map(Stdio::from);
        for (name, value) in [("NO_COLOR", ""), ("TERM", "xterm-256color")] {
            if command.get_envs().all(|(chosen, _)| chosen != name) {
                command.env(name, value);
            }
        }
        let child = command.stdin(end()?).stdout(end()?).stderr(end()?).spawn();
        let child = child.with_context(|| format!("{:?} cannot be started", command.get_program()))?;
        let keyboard = File::from(pty.master);
        let mut master = keyboard.try_clone()?;
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; CHUNK];
            while let Ok(length @ 1..) = master.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let screen = vt100::Parser::new(at_least_one(rows), at_least_one(columns), 0);
        Ok(Self { keyboard, inside: pty.slave, output, screen, raw: Vec::new(), child })
    }

    /// Presses keys, as the bytes that a terminal sends for them.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    /// Pastes a text, as a terminal does for a program that asked for brackets around it.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn paste(&mut self, text: &str) -> Result<()> {
        self.press(&format!("\u{1b}[200~{text}\u{1b}[201~"))
    }

    /// Another size of the window.
    ///
    /// # Errors
    /// If the terminal refuses it.
    pub fn resize(&mut self, rows: u16, columns: u16) -> Result<()> {
        self.screen.screen_mut().set_size(at_least_one(rows), at_least_one(columns));
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.inside, size)?;
        // The kernel tells the programs of a session that began in the terminal; this one is a child of ours.
        self.signal(Signal::SIGWINCH)
    }

    /// The screen as text, a line for each row, without spaces at their ends.
    #[must_use]
    pub fn screen(&self) -> String {
        self.screen.screen().contents()
    }

    /// The screen as its cells are.
    #[must_use]
    pub fn cells(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// All bytes that the program has written.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Takes what the program has written; waits for it until then. Returns whether there was something.
    fn read_until(&mut self, deadline: Instant) -> Result<bool> {
        match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => {
                self.screen.process(&bytes);
                self.raw.extend_from_slice(&bytes);
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout) => Ok(false),
            Err(RecvTimeoutError::Disconnected) => bail!("the terminal is gone"),
        }
    }

    /// Waits until the program writes more.
    ///
    /// # Errors
    /// If it does not.
    pub fn read_more(&mut self) -> Result<()> {
        match self.read_until(Instant::now() + PATIENCE)? {
            true => Ok(()),
            false => bail!("the program writes nothing"),
        }
    }

    /// Waits until the screen is as it should be.
    ///
    /// # Errors
    /// If it is not after a long time; the error shows it as it is.
    pub fn until(&mut self, is_so: impl Fn(&str) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if is_so(&self.screen()) {
                return Ok(());
            }
            if !self.read_until(deadline)? {
                bail!("the screen does not become as it should:\n{}", self.screen());
            }
        }
    }

    /// Waits until a text is on the screen.
    ///
    /// # Errors
    /// As [`until`](Self::until).
    pub fn until_shown(&mut self, text: &str) -> Result<()> {
        self.until(|screen| screen.contains(text)).with_context(|| format!("“{text}” does not come"))
    }

    /// Whether the terminal gives the program each key by itself, and does not show it.
    ///
    /// # Errors
    /// If the terminal does not tell.
    pub fn is_raw(&self) -> Result<bool> {
        let flags = tcgetattr(self.inside.as_fd())?.local_flags;
        Ok(!flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO))
    }

    /// Sends the program a signal.
    ///
    /// # Errors
    /// If it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.child.id().try_into()?), signal)?)
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end of the program, and takes all that it has written.
    ///
    /// # Errors
    /// If it does not end.
    pub fn ended(&mut self) -> Result<ExitStatus> {
        const PAUSE: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                while self.read_until(Instant::now() + PAUSE)? {}
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("the program does not end:\n{}", self.screen());
            }
            self.read_until(Instant::now() + PAUSE)?;
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn at_least_one(length: u16) -> NonZeroU16 {
    NonZeroU16::new(length).unwrap_or(NonZeroU16::MIN)
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
