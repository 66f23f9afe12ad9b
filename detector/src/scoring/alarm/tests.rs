use std::time::Duration;

use crd::Valid;
use jiff::Timestamp;
use proptest::prelude::*;

use super::{Alarm, AlarmState, PeakFilter};
use crate::model::judgement::Judgement;

const NOON: i64 = 12 * 60 * 60;

/// A detector with this alarm rule; `minimumDuration` and `coolDown` are 0 if the rule does not set them.
fn detector(alarm: &str) -> Valid {
    let at_once = |field| if alarm.contains(field) { String::new() } else { format!("{field}: 0s, ") };
    let alarm = alarm.replacen('{', &format!("{{{}{}", at_once("minimumDuration"), at_once("coolDown")), 1);
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: mill}}\nspec:\n  sources:\n  - name: s\n    \
         simulated: {{sensors: [{{name: speed}}]}}\n  alarm: {alarm}\n  muteWindows: [{{schedule: \"0 12 * * *\", duration: 1m, reason: noon}}]\n"
    );
    crd::manifest::one_detector(&text).unwrap()
}

fn judgement(score: f64) -> Judgement {
    let anomalous = score > 0.5;
    let (contributions, reasons) = (Vec::new(), Vec::new());
    Judgement { score, severity: score / 0.5, anomalous, contributions, reasons, model: "sha256:1".into() }
}

/// The states for a text with one letter per second: `!` is anomalous, `^` more anomalous, `.` normal. The
/// states are `A` alarm, `s` too short, `n` no peak, `c` cooling down, `m` muted, `o` ongoing.
fn said(alarm: &str, seconds: &str) -> String {
    said_from(0, alarm, seconds)
}

/// As [`said`], from second `first` on. The minute from second [`NOON`] on is muted.
fn said_from(first: i64, alarm: &str, seconds: &str) -> String {
    let mut alarm = Alarm::new(&detector(alarm));
    let judged = |(second, letter)| {
        letter_of(alarm.judge(Timestamp::from_second(second).unwrap(), &judgement(score(letter))))
    };
    (first..).zip(seconds.chars()).map(judged).collect()
}

fn score(letter: char) -> f64 {
    match letter {
        '^' => 0.9,
        '!' => 0.7,
        _ => 0.4,
    }
}

fn letter_of(state: AlarmState) -> char {
    match state {
        AlarmState::Normal => '.',
        AlarmState::TooShort => 's',
        AlarmState::NoPeak => 'n',
        AlarmState::CoolingDown => 'c',
        AlarmState::Muted { .. } => 'm',
        AlarmState::Alarm => 'A',
        AlarmState::Ongoing => 'o',
    }
}

#[test]
fn every_stretch_of_anomalous_instants_raises_one_alarm() {
    assert_eq!(said("{}", "..!!!.!.!!"), "..Aoo.A.Ao");
}

#[test]
fn a_stretch_shorter_than_the_minimum_raises_none() {
    assert_eq!(said("{minimumDuration: 3s}", "!.!!.!!!!"), "s.ss.ssAo");
}

#[test]
fn where_instants_are_further_apart_than_the_minimum_one_is_enough() {
    let mut alarm = Alarm::new(&detector("{minimumDuration: 5s}"));
    let mut judged = |(minute, score): (i64, f64)| {
        alarm.judge(Timestamp::from_second(60 * minute).unwrap(), &judgement(score)) == AlarmState::Alarm
    };
    assert_eq!([(0, 0.4), (1, 0.7), (2, 0.4)].map(&mut judged), [false, true, false]);
}

#[test]
fn by_default_five_seconds_raise_an_alarm_and_no_other_within_a_minute() {
    let mut alarm = crd::manifest::one_detector(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: mill}\nspec:\n  sources:\n  - name: s\n    \
         simulated: {sensors: [{name: speed}]}\n",
    )
    .map(|detector| Alarm::new(&detector))
    .unwrap();
    let seconds = format!(".!!!!.!!!!!.!!!!!{}.!!!!!", ".".repeat(60));
    let alarms = (0..).zip(seconds.chars()).filter(|(second, letter)| {
        let score = if *letter == '!' { 0.7 } else { 0.4 };
        alarm.judge(Timestamp::from_second(*second).unwrap(), &judgement(score)) == AlarmState::Alarm
    });
    assert_eq!(alarms.map(|(second, _)| second).collect::<Vec<i64>>(), [10, 82]);
}

#[test]
fn after_an_alarm_it_is_quiet_until_the_cool_down_is_over() {
    assert_eq!(said("{coolDown: 3s}", "!!.!..!"), "Ao.c..A");
}

#[test]
fn a_stretch_that_outlasts_the_cool_down_is_not_lost() {
    assert_eq!(said("{coolDown: 3s}", "!.!!!!"), "A.cAoo");
}

#[test]
fn what_is_no_more_anomalous_than_something_just_before_raises_no_alarm() {
    assert_eq!(said("{lookback: 4s}", "..!!.!.^.!....!"), "..Ao.n.A.n....A");
}

#[test]
fn a_stretch_whose_peak_came_before_it_had_lasted_is_not_lost() {
    assert_eq!(said("{lookback: 4s, minimumDuration: 3s}", ".^!!!"), ".ssAo");
    assert_eq!(said("{lookback: 4s, coolDown: 4s}", "!..^!!"), "A..cAo");
}

#[test]
fn each_alarm_has_to_be_worse_than_the_last_until_it_is_forgotten() {
    // `!` is 0.4 over 1, `^` 0.8.
    let rule = "{habituation: {step: 0.5, halfLife: 20s}}";
    assert_eq!(said(rule, "!.!.^.^.!"), "A.n.A.n.n");
    assert_eq!(said(rule, "!.........!.!"), "A.........A.n");
    assert_eq!(said(rule, "!.!!^!!.!"), "A.nnAoo.n");
}

#[test]
fn a_stretch_that_goes_on_alarms_when_the_bar_has_fallen_below_its_highest() {
    assert_eq!(said("{habituation: {step: 0.5, halfLife: 12s}}", "!.!!!!!!"), "A.nnAooo");
    let rule = "{minimumDuration: 3s, habituation: {step: 0.9, halfLife: 20s}}";
    assert_eq!(said(rule, "!!!!.^!!!!"), "sssA.ssAoo");
}

#[test]
fn a_mute_window_puts_the_alarm_off_and_takes_none_back() {
    assert_eq!(said_from(NOON - 1, "{}", ".!!.!"), ".mm.m");
    assert_eq!(said_from(NOON - 1, "{}", "!!.!"), "Ao.m");
    assert_eq!(said_from(NOON + 58, "{}", "!!!!.!"), "mmAo.A");
}

#[test]
fn an_alarm_that_was_put_off_starts_no_cool_down() {
    assert_eq!(said_from(NOON + 58, "{coolDown: 9s}", "!..!"), "m..A");
}

#[test]
fn a_stretch_that_raised_none_starts_no_cool_down() {
    assert_eq!(said("{minimumDuration: 2s, coolDown: 9s}", "!.!.!!.!!"), "s.s.sA.sc");
}

proptest! {
    #[test]
    fn alarms_keep_their_distance_and_there_is_one_a_stretch(
        instants in prop::collection::vec(any::<bool>(), 1..200), minimum in 0u32..5, cool_down in 0u32..9
    ) {
        let seconds: String = instants.iter().map(|anomalous| if *anomalous { '!' } else { '.' }).collect();
        let said = said(&format!("{{minimumDuration: {minimum}s, coolDown: {cool_down}s}}"), &seconds);
        for run in said.split('.') {
            prop_assert!(run.matches('A').count() <= 1);
            prop_assert!(run.find('A').is_none_or(|at| at + 1 >= minimum as usize));
            prop_assert!(run.len() <= (minimum + cool_down) as usize || run.contains('A'));
        }
        let alarms: Vec<usize> = said.match_indices('A').map(|(at, _)| at).collect();
        prop_assert!(alarms.windows(2).all(|pair| pair[1] - pair[0] >= cool_down as usize));
    }

    #[test]
    fn a_peak_is_over_each_within_the_lookback(
        instants in prop::collection::vec((0i64..4, (0u8..20).prop_map(f64::from)), 1..100), lookback in 0i64..20
    ) {
        let mut peak = PeakFilter::new(Duration::from_secs(lookback.unsigned_abs()));
        let mut seen: Vec<(i64, f64)> = Vec::new();
        let mut now = 0;
        for (pause, severity) in instants {
            now += pause;
            let reached = peak.reached(Timestamp::from_second(now).unwrap(), severity);
            let mut before = seen.iter().filter(|(time, _)| lookback > 0 && now - time <= lookback);
            prop_assert_eq!(reached, before.all(|(_, earlier)| *earlier < severity));
            seen.push((now, severity));
        }
    }

    #[test]
    fn what_comes_later_changes_nothing_that_was_said_before(
        past in "[.!^]{1,60}", futures in ("[.!^]{0,60}", "[.!^]{0,60}"), lookback in 0u32..20
    ) {
        let habituation = "habituation: {step: 0.3, halfLife: 5s}";
        let rule = format!("{{lookback: {lookback}s, minimumDuration: 1s, coolDown: 3s, {habituation}}}");
        let [a, b] = [&futures.0, &futures.1].map(|future| said(&rule, &format!("{past}{future}")));
        prop_assert_eq!(&a[..past.len()], &b[..past.len()]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_restart_changes_no_alarm(instants in "[.!^]{2,60}", at in 0.0..1.0f64, step in 0.05..0.9f64, half_life in 1u32..40) {
        let rule = format!("{{coolDown: 2s, lookback: 3s, habituation: {{step: {step}, halfLife: {half_life}s}}}}");
        let spec = detector(&rule);
        let restart = (at * instants.len() as f64) as i64;
        let mut alarm = Alarm::new(&spec);
        let mut states = String::new();
        for (second, letter) in (0..).zip(instants.chars()) {
            if second == restart {
                let memory = serde_json::to_string(alarm.memory()).unwrap();
                alarm = Alarm::new(&spec);
                alarm.restore(&serde_json::from_str(&memory).unwrap());
            }
            let time = Timestamp::from_second(second).unwrap();
            states.push(letter_of(alarm.judge(time, &judgement(score(letter)))));
        }
        prop_assert_eq!(states, said(&rule, &instants));
    }

    #[test]
    fn habituation_takes_alarms_and_brings_none(instants in "[.!^]{1,80}", step in 0.05..0.9f64, half_life in 1u32..40) {
        let with = said(&format!("{{habituation: {{step: {step}, halfLife: {half_life}s}}}}"), &instants);
        let runs = |said: &str| said.split('.').filter(|run| run.contains('A')).count();
        let without = said("{}", &instants);
        prop_assert!(runs(&with) <= runs(&without), "{} {}", with, without);
    }
}

#[test]
fn an_alarm_that_outlives_its_process_is_not_raised_again() {
    let spec =
        detector("{minimumDuration: 2s, coolDown: 3s, lookback: 2s, habituation: {step: 0.3, halfLife: 5s}}");
    let judge = |alarm: &mut Alarm, second: i64| {
        let score = if (3..9).contains(&second) { 0.7 } else { 0.4 };
        alarm.judge(Timestamp::from_second(second).unwrap(), &judgement(score))
    };
    let mut whole = Alarm::new(&spec);
    let expected: Vec<AlarmState> = (0..12).map(|second| judge(&mut whole, second)).collect();
    assert_eq!(expected.iter().filter(|state| **state == AlarmState::Alarm).count(), 1);
    for restart in 0..12 {
        let mut alarm = Alarm::new(&spec);
        let mut states = Vec::new();
        for second in 0..12 {
            if second == restart {
                let memory = serde_json::to_string(alarm.memory()).unwrap();
                alarm = Alarm::new(&spec);
                alarm.restore(&serde_json::from_str(&memory).unwrap());
            }
            states.push(judge(&mut alarm, second));
        }
        assert_eq!(states, expected, "restart before second {restart}");
    }
}
