//! A time in; the noise of a simulated sensor, as a deviation from the clean signal, out.

use crd::simulated::{Noise as Spec, RandomWalk};

use super::random::RandomStream;

const NANOSECONDS_PER_SECOND: i128 = 1_000_000_000;
/// The share of a step that is small enough to be ignored.
const FORGOTTEN: f64 = 1e-6;

/// Noise of one sensor: the same time, the same deviation.
#[derive(Clone, Debug)]
pub struct Noise {
    kind: Kind,
    stream: RandomStream,
}

#[derive(Clone, Debug)]
enum Kind {
    None,
    Gaussian { standard_deviation: f64 },
    Uniform { half_width: f64 },
    Walk(Walk),
}

/// x(n) = kept * x(n - 1) + step * e(n) with one n a second, written out as the sum over the last `steps` e, so that
/// x(n) needs no x(n - 1).
#[derive(Clone, Debug)]
struct Walk {
    step: f64,
    kept: f64,
    steps: i128,
}

impl Noise {
    /// The noise of `spec`, drawn from `stream`.
    pub fn new(spec: Option<&Spec>, stream: RandomStream) -> Self {
        let kind = match spec {
            Some(Spec { gaussian: Some(gaussian), .. }) => {
                Kind::Gaussian { standard_deviation: gaussian.standard_deviation }
            }
            Some(Spec { uniform: Some(uniform), .. }) => Kind::Uniform { half_width: uniform.half_width },
            Some(Spec { random_walk: Some(walk), .. }) => Kind::Walk(Walk::new(walk)),
            _ => Kind::None,
        };
        Self { kind, stream }
    }

    /// The deviation, `time` nanoseconds after the Unix epoch.
    pub fn at(&self, time: i128) -> f64 {
        match &self.kind {
            Kind::None => 0.0,
            Kind::Gaussian { standard_deviation } => standard_deviation * self.stream.at(time).normal(),
            Kind::Uniform { half_width } => half_width * (2.0 * self.stream.at(time).uniform() - 1.0),
            Kind::Walk(walk) => walk.at(time, &self.stream),
        }
    }
}

impl Walk {
    /// A walk over the fewest steps after which less than [`FORGOTTEN`] of a step remains: one at reversion
    /// 1, 1375 at 0.01.
    fn new(spec: &RandomWalk) -> Self {
        let kept = 1.0 - spec.reversion;
        let mut steps = 1;
        let mut left = kept;
        while left >= FORGOTTEN {
            left *= kept;
            steps += 1;
        }
        Self { step: spec.step, kept, steps }
    }

    fn at(&self, time: i128, stream: &RandomStream) -> f64 {
        let now = time.div_euclid(NANOSECONDS_PER_SECOND);
        let mut level = 0.0;
        for second in now - self.steps + 1..=now {
            level = self.kept * level + stream.at(second).nearly_normal();
        }
        self.step * level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(spec: &str) -> Noise {
        Noise::new(Some(&serde_json::from_str(spec).unwrap()), RandomStream::new(3, "pressure", "noise"))
    }

    fn each_second(noise: &Noise, seconds: i128) -> Vec<f64> {
        (0..seconds).map(|second| noise.at(second * NANOSECONDS_PER_SECOND)).collect()
    }

    fn standard_deviation(values: &[f64]) -> f64 {
        (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
    }

    #[test]
    fn gaussian_noise_has_its_standard_deviation() {
        let values = each_second(&noise(r#"{"gaussian":{"standardDeviation":0.5}}"#), 50_000);
        let got = standard_deviation(&values);
        assert!((got - 0.5).abs() < 0.01, "{got}");
    }

    #[test]
    fn uniform_noise_fills_its_width_and_no_more() {
        let values = each_second(&noise(r#"{"uniform":{"halfWidth":2}}"#), 50_000);
        let (least, most) = values.iter().fold((0.0, 0.0), |(a, b): (f64, f64), v| (a.min(*v), b.max(*v)));
        assert!((-2.0..-1.99).contains(&least) && (1.99..2.0).contains(&most), "{least} to {most}");
    }

    /// An AR(1) process with coefficient a and steps of sd s has sd s / sqrt(1 - a^2), and correlation a from one
    /// second to the next.
    #[test]
    fn a_random_walk_has_the_spread_and_memory_of_an_autoregressive_process() {
        let values = each_second(&noise(r#"{"randomWalk":{"step":0.1,"reversion":0.2}}"#), 50_000);
        let (got, expected) = (standard_deviation(&values), 0.1 / (1.0f64 - 0.8 * 0.8).sqrt());
        assert!((got / expected - 1.0).abs() < 0.05, "expected {expected}, got {got}");
        let products: f64 = values.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let correlation = products / values.len() as f64 / (got * got);
        assert!((correlation - 0.8).abs() < 0.02, "{correlation}");
    }

    #[test]
    fn a_random_walk_takes_one_step_a_second() {
        let noise = noise(r#"{"randomWalk":{"step":1,"reversion":0.5}}"#);
        assert_eq!(noise.at(5_000_000_000).to_bits(), noise.at(5_999_999_999).to_bits());
        assert_ne!(noise.at(5_000_000_000).to_bits(), noise.at(6_000_000_000).to_bits());
    }

    #[test]
    fn a_random_walk_remembers_1375_steps_at_most() {
        let steps = |reversion| Walk::new(&RandomWalk { step: 1.0, reversion }).steps;
        assert_eq!([steps(1.0), steps(0.5), steps(0.01)], [1, 20, 1375]);
    }

    #[test]
    fn a_sensor_without_noise_does_not_tremble() {
        assert_eq!(Noise::new(None, RandomStream::new(3, "pressure", "noise")).at(17).to_bits(), 0);
    }
}
