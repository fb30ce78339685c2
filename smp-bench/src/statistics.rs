//! Median, spread and ratio of a few runs.

/// Results of several runs of the same thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The middle one; the mean of the two middle ones of an even number.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Summary {
    /// Of these values; `None` if there are none, or one is not a number.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.iter().any(|value| value.is_nan()) {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, least, most })
    }

    /// Half of the distance between the extremes, in percent of the median; 0 if that is 0.
    #[must_use]
    pub fn spread_percent(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { (self.most - self.least) / 2.0 / self.median.abs() * 100.0 }
    }
}

/// How large `b` is compared with `a`; `None` if `a` is 0.
#[must_use]
pub fn ratio(a: f64, b: f64) -> Option<f64> {
    (a != 0.0).then_some(b / a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        let summary = Summary::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!(summary, Summary { median: 2.0, least: 1.0, most: 3.0 });
        assert!((summary.spread_percent() - 50.0).abs() < 1e-9);
        assert_eq!(Summary::of(&[4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&[f64::NAN]), None);
        assert_eq!(Summary::of(&[0.0]).unwrap().spread_percent(), 0.0);
    }

    #[test]
    fn ratios() {
        assert_eq!(ratio(2.0, 3.0), Some(1.5));
        assert_eq!(ratio(0.0, 3.0), None);
    }

    proptest! {
        #[test]
        fn the_median_is_between_the_extremes(values in prop::collection::vec(-1e9..1e9, 1..50)) {
            let summary = Summary::of(&values).unwrap();
            prop_assert!(summary.least <= summary.median && summary.median <= summary.most);
            let below = values.iter().filter(|v| **v < summary.median).count();
            let above = values.iter().filter(|v| **v > summary.median).count();
            prop_assert!(below <= values.len() / 2 && above <= values.len() / 2);
        }
    }
}
