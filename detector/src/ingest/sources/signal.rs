//! A time in; the clean signal of a simulated sensor, baseline + waves + trend, out.

use std::f64::consts::TAU;

use crd::simulated::{SimulatedSensor, Wave};

/// 2026-01-01T00:00:00Z, from where a trend is counted, in nanoseconds since the Unix epoch.
const TREND_START: i128 = 1_767_225_600_000_000_000;
const NANOSECONDS_PER_HOUR: f64 = 3.6e12;

/// A clean signal.
#[derive(Clone, Debug)]
pub struct Signal {
    baseline: f64,
    waves: Vec<Sine>,
    trend_per_hour: f64,
}

/// A wave with its times in nanoseconds.
#[derive(Clone, Debug)]
struct Sine {
    amplitude: f64,
    period: i128,
    phase: i128,
}

impl Signal {
    /// The clean signal of this sensor.
    pub fn new(sensor: &SimulatedSensor) -> Self {
        Self {
            baseline: sensor.baseline,
            waves: sensor.waves.iter().map(Sine::new).collect(),
            trend_per_hour: sensor.trend_per_hour,
        }
    }

    /// Its value, `time` nanoseconds after the Unix epoch.
    pub fn at(&self, time: i128) -> f64 {
        let hours = (time - TREND_START) as f64 / NANOSECONDS_PER_HOUR;
        let waves: f64 = self.waves.iter().map(|wave| wave.at(time)).sum();
        self.baseline + waves + self.trend_per_hour * hours
    }
}

impl Sine {
    fn new(wave: &Wave) -> Self {
        let (period, phase) = (wave.period.as_nanos(), wave.phase.as_nanos());
        Self { amplitude: wave.amplitude, period, phase: phase % period }
    }

    fn at(&self, time: i128) -> f64 {
        // The time is reduced to one period in whole nanoseconds: the sine of a billion radians would lose
        // seven digits.
        let elapsed = (time + self.phase).rem_euclid(self.period);
        self.amplitude * libm::sin(TAU * (elapsed as f64 / self.period as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    fn signal(sensor: &str) -> Signal {
        Signal::new(&serde_json::from_str(sensor).unwrap())
    }

    fn assert_near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-9, "expected {expected}, got {got}");
    }

    #[test]
    fn a_wave_starts_at_zero_and_peaks_after_a_quarter_of_its_period() {
        let signal = signal(r#"{"name":"s","baseline":60,"waves":[{"amplitude":5,"period":"1h"}]}"#);
        for (seconds, expected) in [(0, 60.0), (900, 65.0), (1800, 60.0), (2700, 55.0), (3600, 60.0)] {
            assert_near(signal.at(seconds * SECOND), expected);
        }
    }

    #[test]
    fn a_phase_is_how_far_the_wave_has_run_at_the_epoch() {
        let signal = signal(r#"{"name":"s","waves":[{"amplitude":2,"period":"4s","phase":"1s"}]}"#);
        assert_near(signal.at(0), 2.0);
        assert_near(signal.at(SECOND), 0.0);
        assert_near(signal.at(-SECOND), 0.0);
    }

    #[test]
    fn waves_add_up() {
        let signal =
            signal(r#"{"name":"s","waves":[{"amplitude":2,"period":"4s"},{"amplitude":3,"period":"12s"}]}"#);
        assert_near(signal.at(3 * SECOND), -2.0 + 3.0);
    }

    #[test]
    fn a_trend_is_counted_from_the_start_of_2026() {
        let signal = signal(r#"{"name":"s","baseline":1,"trendPerHour":0.5}"#);
        assert_near(signal.at(TREND_START), 1.0);
        assert_near(signal.at(TREND_START + 7200 * SECOND), 2.0);
        assert_near(signal.at(TREND_START - 7200 * SECOND), 0.0);
    }

    #[test]
    fn a_wave_loses_no_digits_a_thousand_years_from_now() {
        let signal = signal(r#"{"name":"s","waves":[{"amplitude":1,"period":"1s"}]}"#);
        let then = 1000 * 365 * 86_400 * SECOND;
        assert_eq!(signal.at(then + SECOND / 8).to_bits(), signal.at(SECOND / 8).to_bits());
    }
}
