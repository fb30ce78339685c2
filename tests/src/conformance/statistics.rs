//! Two tests whether two samples are of one distribution, up to a shift that is tolerated.

/// Two-sided probability of ranks as different as these, were neither sample's distribution further than `tolerance` to
/// one side of the other's (Mann and Whitney 1947): normal approximation with correction for ties. Good from some 20
/// values each.
pub(super) fn mann_whitney(a: &[f64], b: &[f64], tolerance: f64) -> f64 {
    (2.0 * ranks_below(a, &moved(b, -tolerance)).min(ranks_below(b, &moved(a, -tolerance)))).min(1.0)
}

/// Probability of distribution functions as far apart as these, were no quantile of one sample's distribution further
/// than `tolerance` from the same of the other's (Smirnov 1948): both one-sided distances, asymptotic, with Stephens's
/// correction for small samples.
pub(super) fn kolmogorov_smirnov(a: &[f64], b: &[f64], tolerance: f64) -> f64 {
    let distance = lead(a, &moved(b, -tolerance)).max(lead(b, &moved(a, -tolerance)));
    let (n, m) = (a.len() as f64, b.len() as f64);
    let root = (n * m / (n + m)).sqrt();
    let lambda = (root + 0.12 + 0.11 / root) * distance;
    (2.0 * (-2.0 * lambda * lambda).exp()).min(1.0)
}

fn moved(values: &[f64], by: f64) -> Vec<f64> {
    values.iter().map(|value| value + by).collect()
}

/// One-sided probability that the ranks of `a` are as low as this, were they not lower than those of `b`.
fn ranks_below(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> =
        a.iter().map(|x| (*x, true)).chain(b.iter().map(|x| (*x, false))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut rank_sum, mut ties, mut before) = (0.0, 0.0, 0.0);
    for equal in all.chunk_by(|x, y| x.0 == y.0) {
        let count = equal.len() as f64;
        let mean_rank = before + (count + 1.0) / 2.0;
        rank_sum += mean_rank * equal.iter().filter(|(_, is_a)| *is_a).count() as f64;
        ties += count.powi(3) - count;
        before += count;
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    let total = n + m;
    let u = rank_sum - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * ((total + 1.0) - ties / (total * (total - 1.0)));
    // A half for continuity.
    let distance = n * m / 2.0 - u - 0.5;
    if variance <= 0.0 || distance <= 0.0 {
        return 0.5;
    }
    complementary_error(distance / variance.sqrt() / std::f64::consts::SQRT_2) / 2.0
}

/// How far the distribution function of `a` is above that of `b` where it is furthest.
fn lead(a: &[f64], b: &[f64]) -> f64 {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let (n, m) = (a.len() as f64, b.len() as f64);
    let (mut i, mut j, mut distance) = (0, 0, 0.0_f64);
    while let Some(x) = a.get(i) {
        i += a[i..].iter().take_while(|value| *value <= x).count();
        let x = a[i - 1];
        j += b[j..].iter().take_while(|value| **value <= x).count();
        distance = distance.max(i as f64 / n - j as f64 / m);
    }
    distance
}

/// erfc(x) for x ≥ 0: series for small x, continued fraction for large (Abramowitz and Stegun 7.1.5 and 7.1.14).
fn complementary_error(x: f64) -> f64 {
    if x < 2.5 {
        let (mut term, mut sum) = (x, x);
        for k in 1..100 {
            let k = f64::from(k);
            term *= -x * x / k;
            sum += term / (2.0 * k + 1.0);
        }
        return (1.0 - 2.0 / std::f64::consts::PI.sqrt() * sum).max(0.0);
    }
    let fraction = (1..=60).rev().fold(x, |fraction, k| x + f64::from(k) / 2.0 / fraction);
    (-x * x).exp() / std::f64::consts::PI.sqrt() / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-6 * b.abs().max(1e-12)
    }

    #[test]
    fn the_error_function_is_right() {
        // Abramowitz and Stegun, table 7.1, and erfc of 5.
        for (x, value) in [
            (0.0, 1.0),
            (0.5, 0.479_500_122),
            (1.0, 0.157_299_207),
            (2.0, 0.004_677_735),
            (5.0, 1.537_459_794e-12),
        ] {
            assert!(close(complementary_error(x), value), "{x}: {}", complementary_error(x));
        }
        assert!((complementary_error(2.499_999) - complementary_error(2.500_001)).abs() < 1e-8);
    }

    fn numbers(range: std::ops::Range<i32>) -> Vec<f64> {
        range.map(f64::from).collect()
    }

    #[test]
    fn ranks_are_compared() {
        let a = numbers(0..50);
        assert!(mann_whitney(&a, &moved(&a, 0.5), 0.0) > 0.5);
        // All ranks apart: z = (1250 - 0.5) / sqrt(50 * 50 * 101 / 12) = 8.614.
        let c = numbers(100..150);
        assert!(mann_whitney(&a, &c, 0.0) < 1e-16);
        assert!(close(mann_whitney(&a, &c, 0.0), mann_whitney(&c, &a, 0.0)));
        assert!(close(mann_whitney(&[1.0; 30], &[1.0; 30], 0.0), 1.0));
        // A worked example: ranks 1 3 5 7 and 2 4 6 8: U = 6, z = (8 - 6 - 0.5) / sqrt(12) = 0.4330.
        let p = mann_whitney(&[1.0, 3.0, 5.0, 7.0], &[2.0, 4.0, 6.0, 8.0], 0.0);
        assert!((p - 0.665_006).abs() < 1e-4, "{p}");
    }

    #[test]
    fn distributions_are_compared() {
        let a = numbers(0..200);
        assert!(kolmogorov_smirnov(&a, &a, 0.0) > 0.999);
        // The same median, but wider: ranks do not see it.
        let wide: Vec<f64> = a.iter().map(|x| (x - 99.5) * 4.0 + 99.5).collect();
        assert!(kolmogorov_smirnov(&a, &wide, 0.0) < 1e-6);
        assert!(mann_whitney(&a, &wide, 0.0) > 0.5);
        // Half of each is beyond all of the other: D = 0.5, lambda = (10 + 0.12 + 0.011) * 0.5.
        let (p, lambda) = (kolmogorov_smirnov(&a, &numbers(100..300), 0.0), 10.131 * 0.5_f64);
        assert!(close(p, 2.0 * (-2.0 * lambda * lambda).exp()), "{p}");
        assert!(close(p, kolmogorov_smirnov(&numbers(100..300), &a, 0.0)));
    }

    #[test]
    fn what_is_within_the_tolerance_is_equal() {
        let a = numbers(0..200);
        for by in [-30.0, -7.5, 7.5, 30.0] {
            let b = moved(&a, by);
            assert!(mann_whitney(&a, &b, 0.0) < 0.3 && mann_whitney(&a, &b, 30.0) > 0.9, "{by}");
            assert!(kolmogorov_smirnov(&a, &b, 30.0) > 0.9, "{by}");
        }
        let b = moved(&a, 100.0);
        assert!(mann_whitney(&a, &b, 30.0) < 1e-6 && mann_whitney(&b, &a, 30.0) < 1e-6);
        assert!(kolmogorov_smirnov(&a, &b, 30.0) < 1e-6 && kolmogorov_smirnov(&b, &a, 30.0) < 1e-6);
        // Half of it is moved by more: the ranks on the whole are not, but some quantiles are.
        let split: Vec<f64> = a.iter().map(|x| if *x < 100.0 { x - 60.0 } else { x + 60.0 }).collect();
        assert!(kolmogorov_smirnov(&a, &split, 20.0) < 0.05 && mann_whitney(&a, &split, 20.0) > 0.9);
    }
}
