//! Statistics that a few odd values do not mislead.
//!
//! Durations of checks are no bell curves: a speaker's first connect falls anywhere between 5 and 10 s, and one run in many
//! lands on a busy machine. So nothing here takes a mean. Whether durations grow is asked by the Mann-Kendall test, which looks
//! at their order alone; by how much is answered by Theil and Sen's slope, the median of the slopes between all pairs, which
//! holds as long as fewer than three in ten values are odd. Mann, Econometrica 13 (1945); Sen, JASA 63 (1968).

/// The value below which a part of the values lies, between the neighbors where it falls between two; none of no values.
pub fn quantile(values: &[f64], part: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let at = part.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    Some(below + (above - below) * at.fract())
}

/// The value in the middle.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The median of how far the values are from their median (MAD).
pub fn median_deviation(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    let far: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    median(&far)
}

/// Theil and Sen's slope: by how much the values grow from one to the next; none of fewer than two.
pub fn theil_sen(values: &[f64]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(values.len() * values.len().saturating_sub(1) / 2);
    for (at, one) in values.iter().enumerate() {
        let later = values.iter().enumerate().skip(at + 1);
        slopes.extend(later.map(|(other_at, other)| (other - one) / (other_at - at) as f64));
    }
    median(&slopes)
}

/// How probable it is that values without a trend rise as much as these do: the Mann-Kendall test, one-sided, with the
/// correction for ties and for continuity. 1 for fewer than four values, which prove nothing.
pub fn mann_kendall(values: &[f64]) -> f64 {
    let number = values.len();
    if number < 4 {
        return 1.0;
    }
    let mut score = 0i64;
    for (at, one) in values.iter().enumerate() {
        for other in &values[at + 1..] {
            score += match other.total_cmp(one) {
                std::cmp::Ordering::Greater => 1,
                std::cmp::Ordering::Less => -1,
                std::cmp::Ordering::Equal => 0,
            };
        }
    }
    let spread = |count: f64| count * (count - 1.0) * (2.0 * count + 5.0);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|same| spread(same.len() as f64)).sum();
    let variance = (spread(number as f64) - ties) / 18.0;
    if score <= 0 || variance <= 0.0 {
        return 1.0;
    }
    above((score - 1) as f64 / variance.sqrt())
}

/// The part of the standard normal distribution above a value that is not negative: Abramowitz and Stegun 26.2.17, which is
/// exact to 7.5e-8; beyond 6 it is less than that, and called nothing.
fn above(z: f64) -> f64 {
    if z > 6.0 {
        return 0.0;
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let series = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_53];
    density * series.iter().fold(0.0, |sum, factor| (sum + factor) * t)
}

#[cfg(test)]
mod unit {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[], 0.5, None)]
    #[case(&[3.0], 0.9, Some(3.0))]
    #[case(&[1.0, 2.0, 3.0, 4.0], 0.5, Some(2.5))]
    #[case(&[4.0, 1.0, 3.0, 2.0, 5.0], 0.9, Some(4.6))]
    #[case(&[1.0, f64::NAN, 3.0], 1.0, Some(3.0))]
    fn quantiles(#[case] values: &[f64], #[case] part: f64, #[case] expected: Option<f64>) {
        let seen = quantile(values, part);
        assert_eq!(seen.map(|value| (value * 1e9).round() / 1e9), expected);
    }

    #[test]
    fn one_odd_value_misleads_nothing() {
        let calm = [5.0, 5.1, 5.0, 5.2, 5.1, 5.0, 90.0, 5.1];
        assert!((median(&calm).unwrap() - 5.1).abs() < 0.01);
        assert!(median_deviation(&calm).unwrap() < 0.11);
        assert!(theil_sen(&calm).unwrap().abs() < 0.05);
        assert!(mann_kendall(&calm) > 0.05);
    }

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (z, expected) in [(0.0, 0.5), (1.0, 0.158_655), (1.96, 0.024_998), (3.0, 0.001_350)] {
            assert!((above(z) - expected).abs() < 1e-6, "{z}: {}", above(z));
        }
    }

    /// Ten values in order: S = 45, Var = 125, Z = 44 / 11.18 = 3.9355.
    #[test]
    fn ten_rising_values_are_a_trend() {
        let rising: Vec<f64> = (0..10).map(f64::from).collect();
        assert!((mann_kendall(&rising) - 4.15e-5).abs() < 1e-6, "{}", mann_kendall(&rising));
        assert_eq!(theil_sen(&rising), Some(1.0));
        assert_eq!(mann_kendall(&[1.0; 20]), 1.0);
    }

    proptest! {
        #[test]
        fn whatever_the_values_nothing_is_more_than_certain(values in prop::collection::vec(0.0f64..1e6, 0..40)) {
            let seen = mann_kendall(&values);
            prop_assert!((0.0..=1.0).contains(&seen));
            let mut falling = values.clone();
            falling.sort_by(|a, b| b.total_cmp(a));
            prop_assert_eq!(mann_kendall(&falling), 1.0);
        }
    }
}
