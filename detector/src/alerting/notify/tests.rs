use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use crd::contract::{EventOutcome, EventReport, Peak, SensorShare};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::outgoing::AddressGuard;
use signature::SigningKey;

const SIGNED: &str = ", signingSecretRef: {name: hook, key: key}";
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A webhook that gives one answer after another, the last again and again, and keeps what it received.
struct Receiver {
    answers: Vec<u16>,
    asked: AtomicUsize,
    received: Mutex<Vec<Received>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Received {
    id: String,
    timestamp: i64,
    signature: Option<String>,
    content_type: String,
    body: String,
}

async fn receive(receiver: Data<Receiver>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    receiver.received.lock().unwrap().push(Received {
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
    let (answers, asked, received) = (answers.to_vec(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let state = Data::new(Receiver { answers, asked, received });
    let shared = state.clone();
    let server =
        HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(receive)))
            .workers(1)
            .disable_signals()
            .bind("127.0.0.1:0")
            .unwrap();
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    (state, format!("http://{address}/hook"))
}

/// A detector that notifies `chat`.
fn detector(url: &str, secret: &str) -> Valid {
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: mill, namespace: plant}}\nspec:\n  sources:\n  - name: s\n    \
         simulated: {{sensors: [{{name: speed}}]}}\n  notifications: [{{name: chat, webhook: {{url: \"{url}\"{secret}}}}}]\n"
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

/// The number of retries of a test, after the first attempt.
const MORE_ATTEMPTS: usize = 3;

/// The settings of a test: keys from a folder, and short waits.
fn settings(keys: &std::path::Path, peers: Peers) -> Settings {
    let retries = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(1))
        .with_max_delay(Duration::from_millis(2))
        .with_max_times(MORE_ATTEMPTS);
    let takeover = Duration::from_millis(20);
    Settings { takeover, retries, ..Settings::new(keys.to_owned(), Outgoing::default(), peers) }
}

type Reported = Rc<RefCell<Vec<(DeliveryOutcome, Option<String>)>>>;

/// A notifier with this key in its file, and what it reports of its messages.
fn notifier(detector: &Valid, key: &str) -> (Notifier, Reported, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("chat"), key).unwrap();
    let (notifier, reported) = started(detector, &settings(folder.path(), Peers::default()));
    (notifier, reported, folder)
}

fn started(detector: &Valid, settings: &Settings) -> (Notifier, Reported) {
    let reported = Reported::default();
    let received = reported.clone();
    let report = move |name: &str, outcome, why: Option<&str>| {
        assert_eq!(name, "chat");
        received.borrow_mut().push((outcome, why.map(str::to_owned)));
    };
    (Notifier::start(detector, settings, report).unwrap(), reported)
}

/// Wait until `count` messages have an outcome, and return the outcomes.
async fn outcomes(reported: &Reported, count: usize) -> Vec<(DeliveryOutcome, Option<String>)> {
    while reported.borrow().len() < count {
        tokio::task::yield_now().await;
    }
    reported.borrow().clone()
}

#[actix_web::test]
async fn an_alarm_and_its_end_are_posted_as_signed_cloud_events_and_other_events_are_not() {
    let (receiver, url) = receiver(&[202]);
    let (notifier, reported, _folder) = notifier(&detector(&url, SIGNED), KEY);
    for change in [
        ended(1_700_000_000, EventOutcome::TooShort),
        ended(1_700_000_010, EventOutcome::Muted),
        Change::Alarmed(event(1_700_000_020)),
        ended(1_700_000_020, EventOutcome::Alarmed),
    ] {
        notifier.notify(&change);
    }
    let delivered = (DeliveryOutcome::Delivered, None);
    assert_eq!(outcomes(&reported, 2).await, [delivered.clone(), delivered]);
    let received = receiver.received.lock().unwrap().clone();
    let bodies: Vec<Value> =
        received.iter().map(|received| serde_json::from_str(&received.body).unwrap()).collect();
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
    for (received, body) in received.iter().zip(&bodies) {
        assert_eq!(received.content_type, "application/cloudevents+json; charset=utf-8");
        assert_eq!(body["id"], received.id.as_str());
        let signature =
            SigningKey::new(KEY.as_bytes()).unwrap().sign(&received.id, received.timestamp, &received.body);
        assert_eq!(received.signature.as_deref(), Some(signature.as_str()));
    }
}

#[actix_web::test]
async fn without_a_signing_secret_nothing_is_signed() {
    let (receiver, url) = receiver(&[200]);
    let (notifier, reported, _folder) = notifier(&detector(&url, ""), KEY);
    notifier.notify(&Change::Alarmed(event(1)));
    outcomes(&reported, 1).await;
    assert_eq!(receiver.received.lock().unwrap()[0].signature, None);
}

#[actix_web::test]
async fn a_webhook_that_fails_for_a_while_is_notified_again_the_very_same() {
    let (receiver, url) = receiver(&[503, 429, 200]);
    let (notifier, reported, _folder) = notifier(&detector(&url, ""), KEY);
    notifier.notify(&Change::Alarmed(event(1)));
    assert_eq!(outcomes(&reported, 1).await, [(DeliveryOutcome::Delivered, None)]);
    let received = receiver.received.lock().unwrap().clone();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|each| (&each.id, &each.body) == (&received[0].id, &received[0].body)));
}

#[actix_web::test]
async fn what_is_refused_for_good_or_too_often_is_given_up_and_the_next_is_sent() {
    for (answer, attempts) in [(400, 1), (302, 1), (500, 1 + MORE_ATTEMPTS)] {
        let answers: Vec<u16> = std::iter::repeat_n(answer, attempts).chain([200]).collect();
        let (receiver, url) = receiver(&answers);
        let (notifier, reported, _folder) = notifier(&detector(&url, ""), KEY);
        notifier.notify(&Change::Alarmed(event(1)));
        notifier.notify(&Change::Alarmed(event(2)));
        let reported_outcomes = outcomes(&reported, 2).await;
        assert_eq!(
            (reported_outcomes[0].0, reported_outcomes[1].0),
            (DeliveryOutcome::Failed, DeliveryOutcome::Delivered)
        );
        let why = reported_outcomes[0].1.as_deref().unwrap();
        assert!(
            why.starts_with(&format!(
                "notification \"chat\": the webhook must answer with a 2xx status, got {answer}"
            )),
            "{why}"
        );
        assert_eq!(receiver.asked.load(Ordering::SeqCst), attempts + 1);
    }
}

#[actix_web::test]
async fn without_the_key_that_it_is_to_sign_with_it_does_not_call() {
    let (receiver, url) = receiver(&[200]);
    let (notifier, reported, folder) = notifier(&detector(&url, SIGNED), "");
    notifier.notify(&Change::Alarmed(event(1)));
    let why = outcomes(&reported, 1).await[0].1.clone().unwrap();
    assert_eq!(
        why,
        "notification \"chat\": the webhook was not called: a signing key must have at least 1 byte, got 0"
    );
    std::fs::write(folder.path().join("chat"), KEY).unwrap();
    notifier.notify(&Change::Alarmed(event(2)));
    assert_eq!(outcomes(&reported, 2).await[1].0, DeliveryOutcome::Delivered);
    assert_eq!(receiver.asked.load(Ordering::SeqCst), 1);
}

/// No connection is accepted, so no request is ever answered.
#[actix_web::test]
async fn a_webhook_that_never_answers_keeps_nobody_waiting() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let (notifier, _reported, _folder) = notifier(&detector(&url, ""), KEY);
    let dropped = (0..QUEUE.cast_signed() as i64 + 10)
        .filter(|start| !notifier.notify(&Change::Alarmed(event(*start))).is_empty());
    assert_eq!(dropped.count(), 10);
}

#[actix_web::test]
async fn a_spec_without_notifications_has_no_notifier() {
    let manifest = include_str!("../../../../manifests/quickstart.yaml");
    let detector = crd::manifest::one_detector(manifest).unwrap();
    let settings = settings(std::path::Path::new("keys"), Peers::default());
    assert!(Notifier::start(&detector, &settings, |_, _, _| ()).is_none());
}

/// A replica of the detector, at its address.
struct Replica {
    notifier: Notifier,
    reported: Reported,
}

/// Serve the ledger that replicas request from each other, at a loopback address; empty until there is a
/// notifier.
fn ledger_server() -> (SocketAddr, Data<OnceLock<Notifier>>) {
    let notifier = Data::new(OnceLock::<Notifier>::new());
    let shared = notifier.clone();
    let entries = |notifier: Data<OnceLock<Notifier>>| async move {
        HttpResponse::Ok().json(notifier.get().map_or(Vec::new(), |notifier| notifier.ledger().entries()))
    };
    let server = HttpServer::new(move || {
        App::new().app_data(shared.clone()).route("/notifications", web::get().to(entries))
    });
    let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    (address, notifier)
}

/// Replicas of one detector, lowest address first, that know each other and the replicas at `others`.
fn replicas(count: usize, url: &str, others: &[&str]) -> Vec<Replica> {
    let mut servers: Vec<_> = (0..count).map(|_| ledger_server()).collect();
    servers.sort_by_key(|(address, _)| *address);
    let names = servers.iter().map(|(address, _)| address.to_string());
    let names: Vec<String> = names.chain(others.iter().map(|&other| other.to_owned())).collect();
    let start = |(own, served): &(SocketAddr, Data<OnceLock<Notifier>>)| {
        let peers = Peers::new(names.clone(), Some(*own), Outgoing::default());
        let (notifier, reported) =
            started(&detector(url, ""), &settings(std::path::Path::new("keys"), peers));
        served.set(notifier.clone()).unwrap();
        Replica { notifier, reported }
    };
    servers.iter().map(start).collect()
}

#[actix_web::test]
async fn of_several_replicas_the_one_with_the_lowest_address_sends_and_the_others_do_not() {
    let (receiver, url) = receiver(&[200]);
    let replicas = replicas(3, &url, &[]);
    replicas[0].notifier.notify(&Change::Alarmed(event(1)));
    assert_eq!(outcomes(&replicas[0].reported, 1).await, [(DeliveryOutcome::Delivered, None)]);
    for replica in &replicas[1..] {
        replica.notifier.notify(&Change::Alarmed(event(1)));
        assert_eq!(outcomes(&replica.reported, 1).await, [(DeliveryOutcome::DeliveredByPeer, None)]);
    }
    assert_eq!(receiver.asked.load(Ordering::SeqCst), 1);
}

/// Nothing listens on port 1, which is the lowest address of all.
#[actix_web::test]
async fn where_the_first_replica_is_away_the_next_one_sends_the_message_with_the_same_id() {
    let (receiver, url) = receiver(&[200]);
    let replicas = replicas(2, &url, &["127.0.0.1:1"]);
    replicas[0].notifier.notify(&Change::Alarmed(event(1)));
    assert_eq!(outcomes(&replicas[0].reported, 1).await, [(DeliveryOutcome::Delivered, None)]);
    replicas[1].notifier.notify(&Change::Alarmed(event(1)));
    assert_eq!(outcomes(&replicas[1].reported, 1).await, [(DeliveryOutcome::DeliveredByPeer, None)]);
    let received = receiver.received.lock().unwrap().clone();
    assert_eq!(
        received.iter().map(|received| received.id.as_str()).collect::<Vec<_>>(),
        ["plant/mill/1970-01-01T00:00:01Z/alarmed"]
    );
}

#[actix_web::test]
async fn where_the_first_replica_has_not_seen_the_event_the_next_one_sends_it() {
    let (receiver, url) = receiver(&[200]);
    let replicas = replicas(2, &url, &[]);
    replicas[1].notifier.notify(&Change::Alarmed(event(1)));
    assert_eq!(outcomes(&replicas[1].reported, 1).await, [(DeliveryOutcome::Delivered, None)]);
    assert_eq!(receiver.asked.load(Ordering::SeqCst), 1);
}

#[actix_web::test]
async fn what_the_first_replica_could_not_deliver_the_next_one_tries() {
    let answers: Vec<u16> = std::iter::repeat_n(500, 1 + MORE_ATTEMPTS).chain([200]).collect();
    let (receiver, url) = receiver(&answers);
    let replicas = replicas(2, &url, &[]);
    replicas[0].notifier.notify(&Change::Alarmed(event(1)));
    assert_eq!(outcomes(&replicas[0].reported, 1).await[0].0, DeliveryOutcome::Failed);
    replicas[1].notifier.notify(&Change::Alarmed(event(1)));
    assert_eq!(outcomes(&replicas[1].reported, 1).await, [(DeliveryOutcome::Delivered, None)]);
    assert_eq!(receiver.asked.load(Ordering::SeqCst), 2 + MORE_ATTEMPTS);
}

#[actix_web::test]
async fn a_name_that_nobody_knows_makes_a_replica_the_first() {
    let peers = Peers::new(
        vec!["no-such-host.invalid:8000".to_owned()],
        "127.0.0.1:9".parse().ok(),
        Outgoing::default(),
    );
    assert_eq!(peers.rank().await, 0);
}

#[actix_web::test]
async fn a_webhook_where_a_pod_must_not_go_is_not_called() {
    let (receiver, url) = receiver(&[200]);
    let folder = tempfile::tempdir().unwrap();
    let outgoing = Outgoing::guarded(AddressGuard::pod(), None);
    let guarded = Settings { outgoing, ..settings(folder.path(), Peers::default()) };
    let (notifier, reported) = started(&detector(&url, ""), &guarded);
    notifier.notify(&Change::Alarmed(event(1)));
    let why = outcomes(&reported, 1).await[0].1.clone().unwrap();
    assert_eq!(
        why,
        "notification \"chat\": the webhook did not answer: a detector may not connect to 127.0.0.1, a loopback address; \
         --allow-address permits it"
    );
    assert_eq!(receiver.asked.load(Ordering::SeqCst), 0);
}
