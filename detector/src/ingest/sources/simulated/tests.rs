use jiff::{SignedDuration, ToSpan};
use proptest::prelude::*;

use super::*;

const SENSOR: &str = r#"{"name":"temperature","baseline":60,"waves":[{"amplitude":5,"period":"1h"}],"#;

/// A source of one sensor: the rest of its JSON, after [`SENSOR`].
fn one(seed: i64, rest: &str) -> SimulatedSource {
    simulated(seed, &[&format!("{SENSOR}{rest}}}")])
}

fn simulated(seed: i64, sensors: &[&str]) -> SimulatedSource {
    let json = format!(r#"{{"seed":{seed},"sensors":[{}]}}"#, sensors.join(","));
    let simulated = serde_json::from_str(&json).unwrap();
    SimulatedSource::new(&simulated)
}

fn fault(type_: &str, mean_interval: &str, duration: &str, magnitude: &str) -> String {
    format!(r#"{{"type":"{type_}","meanInterval":"{mean_interval}","duration":"{duration}"{magnitude}}}"#)
}

/// One sensor that nothing disturbs but this fault.
fn faulty(kind: &str, duration: &str, magnitude: &str) -> SimulatedSource {
    simulated(
        5,
        &[&format!(
            r#"{{"name":"s","baseline":60,"faults":[{}]}}"#,
            fault(kind, "100s", duration, magnitude)
        )],
    )
}

fn everything(seed: i64) -> SimulatedSource {
    let faults = [
        fault("Spike", "10m", "3s", r#","magnitude":20"#),
        fault("Step", "1h", "5m", r#","magnitude":-8"#),
        fault("Drift", "2h", "10m", r#","magnitude":15"#),
        fault("Flatline", "1h", "1m", ""),
        fault("Noise", "1h", "1m", r#","magnitude":6"#),
        fault("Dropout", "1h", "10s", ""),
    ];
    let rest =
        format!(r#""noise":{{"gaussian":{{"standardDeviation":0.5}}}},"faults":[{}]"#, faults.join(","));
    let walk = r#"{"name":"vibration","noise":{"randomWalk":{"step":0.1,"reversion":0.5}}}"#;
    simulated(seed, &[&format!("{SENSOR}{rest}}}"), walk])
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn history(
    source: &SimulatedSource,
    count: usize,
    until: &str,
    interval: SignedDuration,
) -> impl Iterator<Item = Readings> {
    source.history(Span::last(count, time(until), interval)).unwrap().map(Result::unwrap)
}

fn each_second(source: &SimulatedSource, seconds: i64) -> impl Iterator<Item = Readings> {
    let start = time("2026-03-01T00:00:00Z");
    (0..seconds).map(move |second| source.at(start + second.seconds()))
}

/// The readings during the first occurrence that no other one overlaps, with the time since its start.
fn first_occurrence(source: &SimulatedSource) -> Vec<(SignedDuration, Option<f64>)> {
    let mut found: Vec<(Timestamp, SignedDuration, Option<f64>)> = Vec::new();
    for readings in each_second(source, 10_000) {
        match readings.truth.unwrap()[..] {
            [active] if found.is_empty() || found[0].0 == active.start => {
                found.push((active.start, readings.time.duration_since(active.start), readings.values[0]));
            }
            [] if found.len() > 5 && found[0].1 < SignedDuration::from_secs(1) => break,
            _ => found.clear(),
        }
    }
    assert!(found.len() > 5, "no occurrence stands alone");
    found.into_iter().map(|(_, since, value)| (since, value)).collect()
}

proptest! {
    #[test]
    fn a_value_does_not_depend_on_what_was_asked_before(
        seed in 0..i64::MAX,
        mut nanoseconds in prop::collection::vec(0..4_000_000_000_000_000_000i128, 1..20),
    ) {
        let at = |source: &SimulatedSource, nanosecond: &i128| source.at(Timestamp::from_nanosecond(*nanosecond).unwrap());
        let source = everything(seed);
        let mut forward: Vec<Readings> = nanoseconds.iter().map(|nanosecond| at(&source, nanosecond)).collect();
        nanoseconds.reverse();
        let again = everything(seed);
        let backward: Vec<Readings> = nanoseconds.iter().map(|nanosecond| at(&again, nanosecond)).collect();
        forward.reverse();
        prop_assert_eq!(forward, backward);
    }

    #[test]
    fn every_time_that_can_be_written_has_a_reading(seconds in -377_705_023_201i64..=253_402_207_200) {
        let readings = everything(1).at(Timestamp::from_second(seconds).unwrap());
        prop_assert_eq!(readings.values.len(), 2);
        prop_assert!(readings.values.iter().flatten().all(|value| value.is_finite()));
    }
}

/// These values never change, on no machine and in no release: a recorded seed can be replayed.
#[test]
fn the_signal_is_fixed_for_ever() {
    let start = time("2026-11-22T12:00:00Z");
    let lines = (0..8).map(|minute| {
        let readings = everything(42).at(start + (7 * minute).minutes());
        let bits = readings.values.iter().map(|value| value.map(f64::to_bits));
        format!("{} {:x?}", readings.time, bits.collect::<Vec<_>>())
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn another_seed_or_name_is_another_noise() {
    let noise = r#""noise":{"gaussian":{"standardDeviation":1}}"#;
    let at = time("2026-01-01T00:00:01Z");
    assert_ne!(one(1, noise).at(at).values, one(2, noise).at(at).values);
    let renamed = SENSOR.replace("temperature", "pressure");
    assert_ne!(one(1, noise).at(at).values, simulated(1, &[&format!("{renamed}{noise}}}")]).at(at).values);
}

#[test]
fn a_spike_stands_for_its_duration() {
    for (since, value) in first_occurrence(&faulty("Spike", "20s", r#","magnitude":7"#)) {
        assert_eq!(value, Some(67.0), "{since}");
    }
}

#[test]
fn a_step_rises_within_a_tenth_of_its_duration_and_holds() {
    for (since, value) in first_occurrence(&faulty("Step", "30s", r#","magnitude":-9"#)) {
        let expected = 60.0 - 9.0 * (since.as_secs_f64() / 3.0).min(1.0);
        assert!((value.unwrap() - expected).abs() < 1e-6, "{since}: expected {expected}, got {value:?}");
    }
}

#[test]
fn a_drift_departs_steadily_to_its_magnitude() {
    let readings = first_occurrence(&faulty("Drift", "30s", r#","magnitude":6"#));
    for (since, value) in &readings {
        let expected = 60.0 + 6.0 * since.as_secs_f64() / 30.0;
        assert!((value.unwrap() - expected).abs() < 1e-6, "{since}: expected {expected}, got {value:?}");
    }
    assert!(readings.last().unwrap().1.unwrap() > 65.5, "it ends close to its magnitude");
}

#[test]
fn noise_trembles_with_its_magnitude_around_the_signal() {
    let source = faulty("Noise", "50s", r#","magnitude":4"#);
    let alone = each_second(&source, 50_000).filter(|readings| readings.truth.as_ref().unwrap().len() == 1);
    let squares: Vec<f64> = alone.map(|readings| (readings.values[0].unwrap() - 60.0).powi(2)).collect();
    let got = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
    assert!((got - 4.0).abs() < 0.1, "{got}");
}

#[test]
fn a_dropout_gives_no_reading_and_only_then() {
    let source = faulty("Dropout", "20s", "");
    for readings in each_second(&source, 2_000) {
        assert_eq!(readings.values[0].is_none(), !readings.truth.unwrap().is_empty(), "{}", readings.time);
    }
}

#[test]
fn a_flat_line_repeats_the_value_at_its_onset() {
    let rest = format!(
        r#""noise":{{"gaussian":{{"standardDeviation":1}}}},"faults":[{}]"#,
        fault("Flatline", "100s", "20s", "")
    );
    let (source, healthy) = (one(5, &rest), one(5, r#""noise":{"gaussian":{"standardDeviation":1}}"#));
    for readings in each_second(&source, 5_000) {
        let onset = readings.truth.unwrap().iter().map(|fault| fault.start).min();
        let shown = healthy.at(onset.unwrap_or(readings.time));
        assert_eq!(readings.values, shown.values, "{}", readings.time);
    }
}

#[test]
fn a_flat_line_hides_the_faults_after_its_onset_and_keeps_the_one_before() {
    let faults = [fault("Flatline", "60s", "30s", ""), fault("Spike", "40s", "20s", r#","magnitude":7"#)];
    let source = simulated(8, &[&format!(r#"{{"name":"s","baseline":60,"faults":[{}]}}"#, faults.join(","))]);
    let is_spike = |fault: &&ActiveFault| fault.type_ == Some(FaultType::Spike);
    let (mut hidden, mut kept) = (0, 0);
    for readings in each_second(&source, 5_000) {
        let truth = readings.truth.unwrap();
        let flatlines = truth.iter().filter(|fault| fault.type_ == Some(FaultType::Flatline));
        let Some(onset) = flatlines.map(|fault| fault.start).min() else { continue };
        let spikes_then = source.at(onset).truth.unwrap().iter().filter(is_spike).count();
        assert_eq!(readings.values, [Some(60.0 + 7.0 * spikes_then as f64)], "{}", readings.time);
        hidden += truth.iter().filter(is_spike).filter(|fault| fault.start > onset).count();
        kept += spikes_then;
    }
    assert!(hidden > 10 && kept > 10, "{hidden} hidden, {kept} kept");
}

#[test]
fn faults_that_overlap_add_up() {
    let faults = [
        fault("Spike", "40s", "20s", r#","magnitude":7"#),
        fault("Spike", "50s", "20s", r#","magnitude":100"#),
    ];
    let source = simulated(8, &[&format!(r#"{{"name":"s","faults":[{}]}}"#, faults.join(","))]);
    let mut seen = std::collections::BTreeSet::new();
    for readings in each_second(&source, 5_000) {
        let value = readings.values[0].unwrap();
        assert_eq!((value % 100.0 / 7.0 + (value / 100.0).floor()) as usize, readings.truth.unwrap().len());
        seen.insert(value as i64);
    }
    assert!(seen.is_superset(&[0, 7, 100, 107, 14].into()), "{seen:?}");
}

/// A Poisson process: counts in spans of any length have a variance equal to their mean, and gaps are exponential.
#[test]
fn starts_are_a_poisson_process() {
    let source = faulty("Spike", "1s", r#","magnitude":1"#);
    let mut starts: Vec<Timestamp> = each_second(&source, 500_000)
        .flat_map(|readings| readings.truth.unwrap())
        .map(|fault| fault.start)
        .collect();
    starts.sort();
    starts.dedup();
    let gaps: Vec<f64> =
        starts.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64()).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let longer = |than: f64| gaps.iter().filter(|gap| **gap > than * mean).count() as f64 / gaps.len() as f64;
    let squares = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    assert!((mean / 100.0 - 1.0).abs() < 0.03, "mean gap {mean}");
    assert!((squares.sqrt() / mean - 1.0).abs() < 0.05, "the deviation of an exponential equals its mean");
    assert!((longer(1.0) - (-1.0f64).exp()).abs() < 0.02, "{}", longer(1.0));
    assert!((longer(2.0) - (-2.0f64).exp()).abs() < 0.02, "{}", longer(2.0));
}

#[test]
fn an_event_keeps_its_identity_while_it_is_active() {
    let source = everything(42);
    let mut lasting = std::collections::HashMap::new();
    for active in each_second(&source, 86_400).flat_map(|readings| readings.truth.unwrap()) {
        *lasting.entry(active).or_insert(0) += 1;
    }
    let of_type = |type_| lasting.iter().filter(move |(fault, _)| fault.type_ == Some(type_));
    let expected = [(FaultType::Spike, 144, 3), (FaultType::Step, 24, 300), (FaultType::Drift, 12, 600)];
    for (kind, events, seconds) in expected {
        let count = of_type(kind).count() as f64;
        assert!((count - f64::from(events)).abs() < 4.0 * f64::from(events).sqrt(), "{kind:?}: {count}");
        assert!(of_type(kind).all(|(_, lasted)| *lasted <= seconds), "{kind:?}");
    }
}

#[test]
fn a_fault_befalls_its_own_sensor_alone() {
    let spike = format!(r#"{{"name":"b","faults":[{}]}}"#, fault("Spike", "40s", "20s", r#","magnitude":7"#));
    let source = simulated(8, &[r#"{"name":"a","baseline":1}"#, &spike]);
    for readings in each_second(&source, 1_000) {
        assert_eq!(readings.values[0], Some(1.0));
        assert!(readings.truth.unwrap().iter().all(|fault| fault.sensor == Some(1)));
    }
}

#[test]
fn a_sum_that_no_number_can_hold_is_a_missing_reading() {
    let wave = r#"{"name":"s","baseline":1.7e308,"waves":[{"amplitude":1.7e308,"period":"4s"}]}"#;
    let source = simulated(0, &[wave]);
    assert_eq!(source.at(time("1970-01-01T00:00:01Z")).values, [None]);
    assert_eq!(source.at(time("1970-01-01T00:00:00Z")).values, [Some(1.7e308)]);
}

#[test]
fn history_ends_before_its_end_on_multiples_of_the_interval() {
    let source = everything(1);
    let times = |until: &str| -> Vec<String> {
        let history = history(&source, 3, until, SignedDuration::from_secs(10));
        history.map(|readings| readings.time.to_string()).collect()
    };
    let expected = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z", "2026-01-01T00:00:20Z"];
    assert_eq!(times("2026-01-01T00:00:29Z"), expected);
    assert_eq!(times("2026-01-01T00:00:30Z"), expected);
    assert_ne!(times("2026-01-01T00:00:30.000000001Z"), expected);
}

#[test]
fn history_gives_what_was_there_at_the_time() {
    let source = everything(9);
    for readings in history(&source, 100, "2026-01-01T00:00:30Z", SignedDuration::from_mins(1)) {
        assert_eq!(readings, source.at(readings.time));
    }
}

#[test]
fn history_before_the_first_year_is_left_out() {
    let source = everything(9);
    let count = |count, until, hours| {
        source.history(Span::last(count, until, SignedDuration::from_hours(hours))).unwrap().count()
    };
    assert_eq!(count(10, Timestamp::MIN, 1), 0);
    assert_eq!(
        count(1_000_000, Timestamp::UNIX_EPOCH, 24 * 365 * 10_000),
        1,
        "the epoch itself is not before it"
    );
}
