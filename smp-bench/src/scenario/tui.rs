//! `tui`: the screen of `smp tui` in a terminal, with many contacts and messages: the start, and the answer to each key.
//!
//! A key counts as answered when the screen is as it should be then: the next contact's conversation, the letter that was typed. The same
//! machine's least is measured beside it: the echo of the terminal itself.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use hdrhistogram::Histogram;

use super::Subject;
use super::identity::Identity;
use crate::conversations::{Size, name};
use crate::outcome::Outcome;
use crate::statistics::Summary;
use crate::terminal::Terminal;

/// Sizes of the terminal: rows, columns.
const SIZES: [(u16, u16); 2] = [(24, 80), (60, 200)];
/// A text that is typed, over and over.
const TYPED: &str = "hello there how are you ";

/// Options of `tui`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The program `smp`
    #[arg(long, default_value = "target/dist/smp")]
    program: PathBuf,
    /// Contacts, each with a connection of the agent
    #[arg(long, default_value_t = 1000)]
    contacts: i64,
    /// Messages in all
    #[arg(long, default_value_t = 100_000)]
    messages: i64,
    /// Starts in each size
    #[arg(long, default_value_t = 10)]
    starts: usize,
    /// Keys in each size
    #[arg(long, default_value_t = 400)]
    keys: usize,
}

/// Figures of one size.
struct Measured {
    /// Milliseconds of each start.
    starts: Vec<f64>,
    /// Microseconds of each key.
    keys: Histogram<u64>,
}

pub(super) async fn run(options: &Options, subject: &Subject) -> Result<Outcome> {
    let size = Size { contacts: options.contacts, messages: options.messages };
    let identity = Identity::make(&options.program, &subject.target, size).await?;

    let mut outcome = Outcome::new(
        "tui",
        &subject.target.name,
        0,
        format!("{} contacts, {} messages", options.contacts, options.messages),
    );
    let echo = tokio::task::block_in_place(|| echo(options.keys))?;
    outcome.add("echo of the terminal, median", millis(&echo, 0.5), "ms");
    outcome.add("echo of the terminal, p99", millis(&echo, 0.99), "ms");
    for (size, names) in SIZES.into_iter().zip(NAMES) {
        let measured = tokio::task::block_in_place(|| measure(options, &identity.smp(&["tui"]), size))?;
        let starts = Summary::of(&measured.starts).context("no start was measured")?;
        outcome.add(names[0], starts.median, "ms");
        outcome.add(names[1], starts.most, "ms");
        outcome.add(names[2], millis(&measured.keys, 0.5), "ms");
        outcome.add(names[3], millis(&measured.keys, 0.99), "ms");
    }
    identity.clean_up().await?;
    Ok(outcome)
}

/// Names of the figures for each size.
const NAMES: [[&str; 4]; 2] = [
    ["80x24: start, median", "80x24: start, longest", "80x24: key, median", "80x24: key, p99"],
    ["200x60: start, median", "200x60: start, longest", "200x60: key, median", "200x60: key, p99"],
];

fn millis(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    Duration::from_micros(histogram.value_at_quantile(quantile)).as_secs_f64() * 1000.0
}

/// The least that an answer can take: the terminal shows what is typed by itself.
fn echo(keys: usize) -> Result<Histogram<u64>> {
    let mut terminal = Terminal::start(Command::new("cat"), 24, 80)?;
    let mut histogram = Histogram::new(3)?;
    let mut typed = String::new();
    for key in TYPED.chars().cycle().take(keys) {
        if typed.len() >= TYPED.len() {
            terminal.press("\u{15}")?;
            typed.clear();
            terminal.until(|screen| screen.trim().is_empty())?;
        }
        typed.push(key);
        let begun = Instant::now();
        terminal.press(&key.to_string())?;
        terminal.until(|screen| screen.contains(typed.trim_end()))?;
        histogram.record(begun.elapsed().as_micros().try_into()?)?;
    }
    Ok(histogram)
}

fn measure(options: &Options, command: &Command, (rows, columns): (u16, u16)) -> Result<Measured> {
    let mut measured = Measured { starts: Vec::new(), keys: Histogram::new(3)? };
    let again = || {
        let mut again = Command::new(command.get_program());
        again.args(command.get_args());
        again
    };
    let last = name(options.contacts);
    for start in 0..options.starts.max(1) {
        let begun = Instant::now();
        let mut terminal = Terminal::start(again(), rows, columns)?;
        // The list, and the conversation with the first contact in it.
        terminal.until(|screen| screen.contains(" contact") && screen.contains(&format!("│{last}")))?;
        measured.starts.push(begun.elapsed().as_secs_f64() * 1000.0);
        if start == 0 {
            press_keys(options, &mut terminal, &mut measured.keys)?;
        }
        terminal.press("\u{3}")?;
        terminal.ended()?;
    }
    Ok(measured)
}

/// A third of the keys goes down the list, a third is typed, a third goes up through a conversation.
fn press_keys(options: &Options, terminal: &mut Terminal, keys: &mut Histogram<u64>) -> Result<()> {
    let third = options.keys / 3;
    let mut key = |terminal: &mut Terminal, key: &str, is_so: &dyn Fn(&str) -> bool| -> Result<()> {
        let begun = Instant::now();
        terminal.press(key)?;
        terminal.until(is_so)?;
        keys.record(begun.elapsed().as_micros().try_into()?)?;
        Ok(())
    };
    let down = i64::try_from(third)?.min(options.contacts - 1);
    for by in 1..=down {
        let title = format!("│{}", name(options.contacts - by));
        key(terminal, "j", &|screen| screen.contains(&title))?;
    }
    key(terminal, "\r", &|screen| screen.contains("Enter sends"))?;
    let mut typed = String::new();
    for letter in TYPED.chars().cycle().take(third) {
        if typed.len() >= TYPED.len() {
            key(terminal, "\u{15}", &|screen| !screen.contains("> hello"))?;
            typed.clear();
        }
        typed.push(letter);
        let shown = format!("> {}", typed.trim_end());
        key(terminal, &letter.to_string(), &|screen| screen.contains(&shown))?;
    }
    key(terminal, "\u{1b}", &|screen| screen.contains("r answer"))?;
    let up = i64::try_from(third)?.min(options.messages / options.contacts - 2);
    for _ in 0..up {
        // The message that is chosen is another one then.
        let before = terminal.cells().contents_formatted();
        let begun = Instant::now();
        terminal.press("k")?;
        while terminal.cells().contents_formatted() == before {
            terminal.read_more()?;
        }
        keys.record(begun.elapsed().as_micros().try_into()?)?;
    }
    Ok(())
}
