use super::*;
use proptest::prelude::*;

fn recipe(features: &[Feature], window: usize, lags: usize) -> Recipe {
    Recipe { features: features.to_vec(), window, lags }
}

fn vectors(recipe: Recipe, readings: &[[f64; 2]]) -> Vec<Vec<f64>> {
    let mut features = Features::new(recipe, Arc::default());
    readings.iter().filter_map(|values| features.push(Timestamp::UNIX_EPOCH, values)).collect()
}

#[test]
fn a_value_alone_needs_no_past() {
    let seen = vectors(recipe(&[Feature::Value], 10, 0), &[[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(seen, [[1.0, 2.0], [3.0, 4.0]]);
}

#[test]
fn lags_append_the_readings_before_newest_first() {
    let seen = vectors(recipe(&[Feature::Value], 10, 1), &[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    assert_eq!(seen, [[3.0, 4.0, 1.0, 2.0], [5.0, 6.0, 3.0, 4.0]]);
}

#[test]
fn a_difference_is_the_reading_minus_the_one_before() {
    let seen = vectors(recipe(&[Feature::Value, Feature::Difference], 10, 0), &[[1.0, 5.0], [3.0, 4.0]]);
    assert_eq!(seen, [[3.0, 2.0, 4.0, -1.0]]);
}

#[test]
fn the_deviation_of_a_flat_line_is_the_floor_at_any_level() {
    for level in [0.0, 0.1, -1e-6, 1e9, 123_456.789] {
        let seen = vectors(recipe(&[Feature::LogStdDev], 3, 0), &[[level, 0.0], [level, 1.0], [level, 2.0]]);
        assert!((seen[0][0] + 9.0).abs() < 1e-12, "{level}");
        let expected = (2.0f64 / 3.0).sqrt().log10();
        assert!((seen[0][1] - expected).abs() < 1e-12);
    }
}

#[test]
fn a_deviation_is_given_in_the_unit_of_its_sensor() {
    let seen = vectors(recipe(&[Feature::LogStdDev], 2, 0), &[[10.0, 3.0], [14.0, 3.0]]);
    assert!((in_sensor_unit(Feature::LogStdDev, seen[0][0]) - 2.0).abs() < 1e-12);
    assert!((in_sensor_unit(Feature::RollingMean, 12.0) - 12.0).abs() < 1e-12);
}

#[test]
fn peeking_sees_what_pushing_would_and_remembers_nothing() {
    let now = Timestamp::UNIX_EPOCH;
    let mut features = Features::new(recipe(&[Feature::Value, Feature::LogStdDev], 2, 1), Arc::default());
    for value in [1.0, 4.0] {
        assert_eq!(features.push(now, &[value]), None);
    }
    let peeked = features.peek(&[9.0]);
    assert_eq!(peeked, features.peek(&[9.0]));
    assert_eq!(peeked, features.push(now, &[9.0]));
}

#[test]
fn a_mean_follows_the_window_and_a_flat_line_is_at_its_level() {
    let seen = vectors(recipe(&[Feature::RollingMean], 2, 0), &[[1.0, 0.1], [3.0, 0.1], [9.0, 0.1]]);
    assert_eq!(seen, [[2.0, 0.1], [6.0, 0.1]]);
}

/// The vector of the next reading, which is learned from.
fn next(learning: &mut Learning, time: Timestamp, value: f64) -> Option<Vec<f64>> {
    let mut vector = Vec::new();
    learning.push_onto(&mut vector, time, &[value]).then_some(vector)
}

/// Every reading is 100 at noon and 10 at other times for three days; then a day of `last`.
fn days(last: f64) -> Vec<Vec<f64>> {
    let mut learning = Learning::new(recipe(&[Feature::DailyResidual], 2, 0));
    let hours = (0..4 * 24).map(|hour| {
        (
            hour,
            if hour / 24 == 3 {
                last
            } else if hour % 24 == 12 {
                100.0
            } else {
                10.0
            },
        )
    });
    hours
        .filter_map(|(hour, value)| next(&mut learning, Timestamp::from_second(hour * 3600).unwrap(), value))
        .collect()
}

#[test]
fn a_reading_is_compared_with_the_days_before_it() {
    let seen = days(10.0);
    let noon = |day: usize| seen[day * 24 + 12][0];
    assert!(seen[..24].iter().all(|vector| vector == &[0.0]), "the first day is compared with nothing");
    assert_eq!(vec![noon(1), noon(2), noon(3)], [0.0, 0.0, -90.0]);
    assert_eq!(days(77.0)[3 * 24 + 13], [67.0]);
}

#[test]
fn what_was_learned_of_the_days_serves_as_it_was_learned() {
    let mut learning = Learning::new(recipe(&[Feature::DailyResidual], 2, 0));
    for hour in 0..48 {
        next(&mut learning, Timestamp::from_second(hour * 3600).unwrap(), (hour % 24) as f64);
    }
    let mut features = learning.finish().features();
    assert_eq!(features.peek(&[9.0]), None, "at which time?");
    for hour in 48..72 {
        let seen = features.push(Timestamp::from_second(hour * 3600).unwrap(), &[30.0]);
        assert_eq!(seen, Some(vec![30.0 - (hour % 24) as f64]));
    }
    assert_eq!(features.peek(&[23.5]), Some(vec![0.5]), "as if at the time of the newest");
}

fn every_feature(lags: usize) -> Recipe {
    let all = [
        Feature::Value,
        Feature::Difference,
        Feature::LogStdDev,
        Feature::RollingMean,
        Feature::DailyResidual,
    ];
    recipe(&all, 4, lags)
}

fn learned(recipe: Recipe, readings: &[f64]) -> Vec<Option<Vec<f64>>> {
    let mut learning = Learning::new(recipe);
    let times = (0i64..).map(|i| Timestamp::from_second(i * 1500).unwrap());
    times.zip(readings).map(|(time, value)| next(&mut learning, time, *value)).collect()
}

proptest! {
    #[test]
    fn no_vector_knows_what_comes_later(
        past in prop::collection::vec(-1e6f64..1e6, 1..150),
        futures in (prop::collection::vec(-1e6f64..1e6, 0..80), prop::collection::vec(-1e6f64..1e6, 0..80)),
        lags in 0usize..3
    ) {
        let [a, b] = [&futures.0, &futures.1].map(|future| learned(every_feature(lags), &[&past[..], future].concat()));
        prop_assert_eq!(&a[..past.len()], &b[..past.len()]);
    }

    #[test]
    fn a_shift_moves_values_and_means_and_nothing_else(
        readings in prop::collection::vec(-1000i32..1000, 60..150), shift in -1000i32..1000
    ) {
        let vectors = |shift: i32| {
            let readings: Vec<f64> = readings.iter().map(|value| f64::from(value + shift)).collect();
            learned(every_feature(0), &readings)
        };
        for (here, there) in vectors(0).into_iter().zip(vectors(shift)).filter_map(|(a, b)| a.zip(b)) {
            let moved = f64::from(shift);
            for (column, by) in [moved, 0.0, 0.0, moved, 0.0].into_iter().enumerate() {
                prop_assert!((here[column] + by - there[column]).abs() < 1e-6, "{here:?} {there:?}");
            }
        }
    }
}

#[test]
fn a_file_states_no_recipe_that_a_spec_could_not_ask_for() {
    let stated = |window: &str, lags: &str, features: &str| {
        let json = format!(r#"{{"features": [{features}], "window": {window}, "lags": {lags}}}"#);
        let value = serde_json::from_str(&json).unwrap();
        let read = serde_json::from_value::<Pipeline>(value);
        read.map(|pipeline| pipeline.recipe).map_err(|error| error.to_string())
    };
    assert!(stated("1000", "100", r#""Value""#).is_ok());
    for (window, lags, features, rule) in [
        (
            "4611686018427387904",
            "0",
            r#""Value""#,
            "window must be between 2 and 1000, got 4611686018427387904",
        ),
        ("10000000", "0", r#""LogStdDev""#, "window must be between 2 and 1000, got 10000000"),
        ("1", "0", r#""Value""#, "window must be between 2 and 1000, got 1"),
        ("10", "9223372036854775808", r#""Value""#, "lags must be at most 100, got 9223372036854775808"),
        ("10", "0", "", "features must be 1 to 5, got 0"),
    ] {
        assert_eq!(stated(window, lags, features).unwrap_err(), rule);
    }
}
