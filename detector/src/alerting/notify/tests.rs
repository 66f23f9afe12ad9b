use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use crd::contract::{EventOutcome, EventReport, Peak, SensorShare};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use signature::SigningKey;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A webhook that gives one answer after another, the last for ever, and keeps what it was told.
struct Receiver {
    answers: Vec<u16>,
    asked: AtomicUsize,
    heard: Mutex<Vec<Heard>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Heard {
    id: String,
    timestamp: i64,
    signature: Option<String>,
    content_type: String,
    body: String,
}

async fn hear(receiver: Data<Receiver>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    receiver.heard.lock().unwrap().push(Heard {
        id: header("webhook-id").unwrap(),
        timestamp: header("webhook-timestamp").unwrap().parse().unwrap(),
        signature: header("webhook-signature"),
        content_type: header("content-type").unwrap(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let asked = receiver.asked.fetch_add(1, Ordering::SeqCst);
    let answer = receiver.answers[asked.min(receiver.answers.len() - 1)];
    HttpResponse::build(answer.try_into().unwrap()).finish()
}

/// The receiver and its URL.
fn receiver(answers: &[u16]) -> (Data<Receiver>, String) {
    let (answers, asked, heard) = (answers.to_vec(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let receiver = Data::new(Receiver { answers, asked, heard });
    let shared = receiver.clone();
    let server = HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(hear)))
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    (receiver, format!("http://{address}/hook"))
}

fn detector(url: &str, secret: &str) -> Valid {
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: mill, namespace: plant}}\nspec:\n  sources:\n  - name: s\n    \
         simulated: {{sensors: [{{name: speed}}]}}\n  notify: {{webhook: {{url: \"{url}\"{secret}}}}}\n"
    );
    crd::manifest::one_detector(&text).unwrap()
}

fn event(start: i64) -> EventReport {
    let at = |second| Timestamp::from_second(second).unwrap();
    EventReport {
        start: at(start),
        end: None,
        duration_seconds: 2.0,
        peak: Peak { time: at(start + 1), severity: 1.5 },
        verdicts: 3,
        outcome: EventOutcome::Alarmed,
        reason: None,
        alarmed_at: Some(at(start)),
        sensors: vec![SensorShare { name: "speed".to_owned(), share: 1.0 }],
    }
}

fn ended(start: i64, outcome: EventOutcome) -> Change {
    Change::Ended(EventReport { end: Timestamp::from_second(start + 3).ok(), outcome, ..event(start) })
}

const QUICKLY: Retries =
    Retries { attempts: 4, first_wait: Duration::from_millis(1), longest_wait: Duration::from_millis(2) };

type Told = Rc<RefCell<Vec<(DeliveryOutcome, Option<String>)>>>;

/// A notifier with this key in its file, and what it says of its messages.
fn notifier(detector: &Valid, key: &str) -> (Notifier, Told, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), key).unwrap();
    let told = Told::default();
    let heard = told.clone();
    let tell = move |outcome, why: Option<&str>| heard.borrow_mut().push((outcome, why.map(str::to_owned)));
    let notifier = Notifier::start(detector, folder.path().join("key"), QUICKLY, tell).unwrap().unwrap();
    (notifier, told, folder)
}

/// Once so many messages have had an outcome.
async fn outcomes(told: &Told, count: usize) -> Vec<(DeliveryOutcome, Option<String>)> {
    while told.borrow().len() < count {
        tokio::task::yield_now().await;
    }
    told.borrow().clone()
}

#[actix_web::test]
async fn an_alarm_and_its_end_are_posted_as_signed_cloud_events_and_other_events_are_not() {
    let (receiver, url) = receiver(&[202]);
    let (notifier, told, _folder) = notifier(&detector(&url, ", signingSecret: hook"), KEY);
    for change in [
        ended(1_700_000_000, EventOutcome::TooShort),
        ended(1_700_000_010, EventOutcome::Muted),
        Change::Alarmed(event(1_700_000_020)),
        ended(1_700_000_020, EventOutcome::Alarmed),
    ] {
        notifier.tell(&change).unwrap();
    }
    let delivered = (DeliveryOutcome::Delivered, None);
    assert_eq!(outcomes(&told, 2).await, [delivered.clone(), delivered]);
    let heard = receiver.heard.lock().unwrap().clone();
    let bodies: Vec<Value> = heard.iter().map(|heard| serde_json::from_str(&heard.body).unwrap()).collect();
    assert_eq!(
        bodies[0],
        json!({
            "specversion": "1.0",
            "id": "plant/mill/2023-11-14T22:13:40Z/alarmed",
            "source": "/apis/anomaly.dev/namespaces/plant/anomalydetectors/mill",
            "type": "dev.anomaly.event.alarmed",
            "subject": "mill",
            "time": "2023-11-14T22:13:40Z",
            "datacontenttype": "application/json",
            "data": event(1_700_000_020),
        })
    );
    assert_eq!(
        (&bodies[1]["type"], &bodies[1]["time"]),
        (&json!("dev.anomaly.event.ended"), &json!("2023-11-14T22:13:43Z"))
    );
    assert_eq!(bodies[1]["id"], "plant/mill/2023-11-14T22:13:40Z/ended");
    for (heard, body) in heard.iter().zip(&bodies) {
        assert_eq!(heard.content_type, "application/cloudevents+json; charset=utf-8");
        assert_eq!(body["id"], heard.id.as_str());
        let signature =
            SigningKey::new(KEY.as_bytes()).unwrap().sign(&heard.id, heard.timestamp, &heard.body);
        assert_eq!(heard.signature.as_deref(), Some(signature.as_str()));
    }
}

#[actix_web::test]
async fn without_a_signing_secret_nothing_is_signed() {
    let (receiver, url) = receiver(&[200]);
    let (notifier, told, _folder) = notifier(&detector(&url, ""), KEY);
    notifier.tell(&Change::Alarmed(event(1))).unwrap();
    outcomes(&told, 1).await;
    assert_eq!(receiver.heard.lock().unwrap()[0].signature, None);
}

#[actix_web::test]
async fn a_webhook_that_fails_for_a_while_is_told_again_the_very_same() {
    let (receiver, url) = receiver(&[503, 429, 200]);
    let (notifier, told, _folder) = notifier(&detector(&url, ""), KEY);
    notifier.tell(&Change::Alarmed(event(1))).unwrap();
    assert_eq!(outcomes(&told, 1).await, [(DeliveryOutcome::Delivered, None)]);
    let heard = receiver.heard.lock().unwrap().clone();
    assert_eq!(heard.len(), 3);
    assert!(heard.iter().all(|each| (&each.id, &each.body) == (&heard[0].id, &heard[0].body)));
}

#[actix_web::test]
async fn what_is_refused_for_good_or_too_often_is_given_up_and_the_next_is_told() {
    for (answer, attempts) in [(400, 1), (302, 1), (500, QUICKLY.attempts as usize)] {
        let answers: Vec<u16> = std::iter::repeat_n(answer, attempts).chain([200]).collect();
        let (receiver, url) = receiver(&answers);
        let (notifier, told, _folder) = notifier(&detector(&url, ""), KEY);
        notifier.tell(&Change::Alarmed(event(1))).unwrap();
        notifier.tell(&Change::Alarmed(event(2))).unwrap();
        let told = outcomes(&told, 2).await;
        assert_eq!((told[0].0, told[1].0), (DeliveryOutcome::Failed, DeliveryOutcome::Delivered));
        let why = told[0].1.as_deref().unwrap();
        assert!(
            why.starts_with(&format!("the webhook must answer with a 2xx status, got {answer}")),
            "{why}"
        );
        assert_eq!(receiver.asked.load(Ordering::SeqCst), attempts + 1);
    }
}

#[actix_web::test]
async fn without_the_key_that_it_is_to_sign_with_it_does_not_call() {
    let (receiver, url) = receiver(&[200]);
    let (notifier, told, folder) = notifier(&detector(&url, ", signingSecret: hook"), "");
    notifier.tell(&Change::Alarmed(event(1))).unwrap();
    let why = outcomes(&told, 1).await[0].1.clone().unwrap();
    assert_eq!(why, "the webhook was not called: a signing key must have at least 1 byte, got 0");
    std::fs::write(folder.path().join("key"), KEY).unwrap();
    notifier.tell(&Change::Alarmed(event(2))).unwrap();
    assert_eq!(outcomes(&told, 2).await[1].0, DeliveryOutcome::Delivered);
    assert_eq!(receiver.asked.load(Ordering::SeqCst), 1);
}

/// Nobody accepts its connections, so that nothing is ever answered.
#[actix_web::test]
async fn a_webhook_that_never_answers_keeps_nobody_waiting() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let (notifier, _told, _folder) = notifier(&detector(&url, ""), KEY);
    let dropped = (0..QUEUE.cast_signed() as i64 + 10)
        .filter(|start| notifier.tell(&Change::Alarmed(event(*start))).is_err());
    assert_eq!(dropped.count(), 10);
}

#[actix_web::test]
async fn a_spec_without_a_webhook_has_no_notifier() {
    let manifest = include_str!("../../../../manifests/quickstart.yaml");
    let detector = crd::manifest::one_detector(manifest).unwrap();
    let notifier = Notifier::start(&detector, "key".into(), QUICKLY, |_, _| ()).unwrap();
    assert!(notifier.is_none());
}

#[test]
fn waits_double_up_to_the_longest() {
    let retries = Retries::default();
    let waits: Vec<u64> = (1..=10).map_while(|attempts| Some(retries.wait(attempts)?.as_secs())).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
}
