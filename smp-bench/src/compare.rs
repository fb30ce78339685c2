//! Two relays in turn: A B A B ..., so that whatever else the machine does hits both.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use crate::outcome::{Outcome, number};
use crate::statistics::{Summary, ratio};

/// One figure of both.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// Which scenario.
    pub scenario: &'static str,
    /// Which figure.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Median of A.
    pub a: f64,
    /// Half of the distance between the extremes of A, in percent of the median.
    pub a_spread_percent: f64,
    /// Median of B.
    pub b: f64,
    /// The same for B.
    pub b_spread_percent: f64,
    /// B divided by A; absent if A is 0.
    pub ratio: Option<f64>,
}

/// Compares the outcomes of several rounds, in which each is a pair of the same scenario run on A and on B.
///
/// Figures that one of them does not have are left out.
#[must_use]
pub fn compare(rounds: &[(Outcome, Outcome)]) -> Vec<Compared> {
    let Some((first, _)) = rounds.first() else { return Vec::new() };
    let figures = first.figures.iter().filter_map(|figure| {
        let of = |pick: fn(&(Outcome, Outcome)) -> &Outcome| {
            let values: Option<Vec<f64>> = rounds.iter().map(|round| pick(round).get(figure.name)).collect();
            Summary::of(&values?)
        };
        let (a, b) = (of(|round| &round.0)?, of(|round| &round.1)?);
        Some(Compared {
            scenario: first.scenario,
            name: figure.name,
            unit: figure.unit,
            a: a.median,
            a_spread_percent: a.spread_percent(),
            b: b.median,
            b_spread_percent: b.spread_percent(),
            ratio: ratio(a.median, b.median),
        })
    });
    figures.collect()
}

/// A table for people.
///
/// # Errors
/// None that depend on input.
pub fn table(a: &str, b: &str, compared: &[Compared]) -> Result<String> {
    let mut out = format!("A = {a}\nB = {b}\n");
    let mut scenario = "";
    for row in compared {
        if row.scenario != scenario {
            scenario = row.scenario;
            writeln!(out, "{scenario:40} {:>12} {:>6}  {:>12} {:>6}  {:>7}", "A", "±%", "B", "±%", "B/A")?;
        }
        let Compared { name, unit, a, a_spread_percent, b, b_spread_percent, ratio, .. } = row;
        let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
        let name = format!("{name}, {unit}");
        writeln!(
            out,
            "  {name:38} {:>12} {a_spread_percent:>6.1}  {:>12} {b_spread_percent:>6.1}  {ratio:>7}",
            number(*a),
            number(*b),
        )?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(rate: f64) -> Outcome {
        let mut outcome = Outcome::new("throughput", "x", 19, String::new());
        outcome.add("delivered", rate, "msg/s");
        outcome
    }

    #[test]
    fn medians_and_their_ratio() {
        let mut rounds: Vec<_> =
            [(1.0, 20.0), (3.0, 60.0), (2.0, 10.0)].map(|(a, b)| (outcome(a), outcome(b))).into();
        rounds[0].0.add("only A, and only once", 1.0, "");
        let compared = compare(&rounds);
        assert_eq!(compared.len(), 1);
        assert_eq!((compared[0].a, compared[0].b, compared[0].ratio), (2.0, 20.0, Some(10.0)));
        let table = table("a", "b", &compared).unwrap();
        assert!(table.contains("10.000"), "{table}");
        assert!(compare(&[]).is_empty());
    }
}
