//! Results: a table for people, JSON for programs.

use std::fmt::Write as _;

use serde::Serialize;

/// Result of a scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Which scenario.
    pub scenario: &'static str,
    /// Which relay; the address without password, or the kind of store of a relay that was started for it.
    pub relay: String,
    /// The SMP version that was agreed; 0 if none was needed.
    pub version: u16,
    /// Size of the run: how many queues, connections and so on.
    pub setting: String,
    /// The numbers.
    pub figures: Vec<Figure>,
}

/// A number with its name and unit.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
}

impl Outcome {
    /// No figures yet.
    #[must_use]
    pub fn new(scenario: &'static str, relay: &str, version: u16, setting: String) -> Self {
        Self { scenario, relay: relay.to_owned(), version, setting, figures: Vec::new() }
    }

    /// Adds a figure.
    pub fn add(&mut self, name: &'static str, value: f64, unit: &'static str) {
        self.figures.push(Figure { name, value, unit });
    }

    /// Adds a figure, if there is one.
    pub fn add_some(&mut self, name: &'static str, value: Option<f64>, unit: &'static str) {
        if let Some(value) = value {
            self.add(name, value, unit);
        }
    }

    /// The value of a figure.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }

    /// A table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = format!("{} · {}", self.scenario, self.relay);
        if self.version > 0 {
            let _ = write!(out, " · SMP {}", self.version);
        }
        let _ = writeln!(out, "\n  {}", self.setting);
        let width = self.figures.iter().map(|figure| figure.name.chars().count()).max().unwrap_or(0);
        for Figure { name, value, unit } in &self.figures {
            let _ = writeln!(out, "  {name:width$}  {:>12} {unit}", number(*value));
        }
        out
    }
}

/// A number with as many digits as mean something.
#[must_use]
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 1.0 => 2,
        _ => 4,
    };
    group_thousands(&format!("{value:.digits$}"))
}

fn group_thousands(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, ""), |(whole, fraction)| (whole, fraction));
    let mut out = sign.to_owned();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let shown = [0.0, 0.0123, 12.345, 123.45, 1234.5, 1_234_567.0, -4321.0].map(number);
        assert_eq!(shown, ["0", "0.0123", "12.35", "123.5", "1,234", "1,234,567", "-4,321"]);
    }

    #[test]
    fn a_table_has_all_figures() {
        let mut outcome = Outcome::new("throughput", "memory", 19, "2 pairs".to_owned());
        outcome.add("delivered", 1000.0, "msg/s");
        outcome.add_some("absent", None, "s");
        assert_eq!(outcome.get("delivered"), Some(1000.0));
        assert_eq!(outcome.get("absent"), None);
        let table = outcome.table();
        assert_eq!(table.lines().count(), 3);
        assert!(table.contains("SMP 19") && table.contains("1,000 msg/s"), "{table}");
    }
}
