//! `model.load` against real servers on this machine: what is accepted, and each refusal with its message and
//! its reason.

use std::path::PathBuf;
use std::sync::{Mutex, mpsc};

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use crd::Valid;
use crd::status::Reason;
use detector::ingest::reading::Readings;
use detector::lifecycle::load::import_process::Importer;
use detector::lifecycle::load::loader::{Found, Loader};
use detector::lifecycle::load::{LoadError, Mounts};
use detector::model::model::Model;
use detector::model::training::{TrainingSet, learn};
use detector::outgoing::{AddressGuard, Outgoing};
use jiff::Timestamp;

const SENSORS: &str = "{name: heat}, {name: load}";

fn detector(sensors: &str, model: &str) -> Valid {
    let text = format!(
        "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: fan}}\nspec:\n  \
         sources: [{{name: s, simulated: {{sensors: [{sensors}]}}}}]\n  model: {model}\n"
    );
    crd::manifest::one_detector(&text).unwrap()
}

fn artifact() -> Vec<u8> {
    let readings = (0..300).map(|second: i32| Readings {
        time: Timestamp::from_second(second.into()).unwrap(),
        values: vec![Some(f64::from(second).sin()), Some(f64::from(second * 7 % 11))],
        truth: None,
    });
    let training_set = TrainingSet {
        readings: &readings.collect::<Vec<_>>(),
        until: None,
        serving: None,
        renewed_trees: None,
    };
    learn(&detector(SENSORS, "{train: {trees: 10}}"), training_set, &|_| ()).unwrap().bytes().to_vec()
}

/// A server of models, good and bad, on a free port of the loopback interface. It lives as long as the test program.
fn server() -> String {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let serve = async move {
            let server = HttpServer::new(|| App::new().default_service(web::to(answer)))
                .workers(1)
                .bind("127.0.0.1:0")
                .unwrap();
            sender.send(server.addrs()[0]).unwrap();
            server.run().await.unwrap();
        };
        actix_web::rt::System::new().block_on(serve);
    });
    format!("http://{}", receiver.recv().unwrap())
}

async fn answer(request: HttpRequest) -> HttpResponse {
    let redirect = |to: &str| HttpResponse::Found().insert_header(("Location", to)).finish();
    match request.path() {
        "/model" => HttpResponse::Ok().body(artifact()),
        "/truncated" => HttpResponse::Ok().body(artifact()[..700].to_vec()),
        "/cut-off" => {
            let part =
                futures::stream::iter([Ok(Bytes::from_static(b"part")), Err(std::io::Error::other("gone"))]);
            HttpResponse::Ok().no_chunking(1000).streaming(part)
        }
        "/2gib" => HttpResponse::Ok().no_chunking(2 << 30).streaming(zeros()),
        "/endless" => HttpResponse::Ok().streaming(zeros()),
        "/locked" => match request.headers().get("Authorization").map(|value| value.to_str().unwrap()) {
            Some("Bearer swordfish" | "Basic cGx1bTpwdWRkaW5n") => HttpResponse::Ok().body(artifact()),
            _ => HttpResponse::Unauthorized().finish(),
        },
        "/moved" => redirect("/model"),
        "/metadata" => redirect("http://169.254.169.254/latest/meta-data/"),
        "/mapped" => redirect("http://[::ffff:169.254.169.254]/"),
        "/zero" => redirect("http://0/"),
        "/round" => redirect("/round"),
        "/away" => redirect(&elsewhere(&request)),
        path if path.starts_with("/s3-away/") => {
            HttpResponse::TemporaryRedirect().insert_header(("Location", elsewhere(&request))).finish()
        }
        "/spy" => {
            let sent =
                ["authorization", "x-amz-security-token"].map(|name| request.headers().contains_key(name));
            SPIED.lock().unwrap().push(sent);
            HttpResponse::Ok().body(artifact())
        }
        _ => HttpResponse::NotFound().finish(),
    }
}

/// Whether requests to `/spy` carried credentials: a password or token, a session token of S3.
static SPIED: Mutex<Vec<[bool; 2]>> = Mutex::new(Vec::new());

/// A URL of the same server by another host name.
fn elsewhere(request: &HttpRequest) -> String {
    format!("http://localhost:{}/spy", request.app_config().local_addr().port())
}

fn zeros() -> impl futures::Stream<Item = Result<Bytes, std::io::Error>> {
    let zeros = Bytes::from(vec![0; 1 << 16]);
    futures::stream::repeat_with(move || Ok(zeros.clone()))
}

/// A folder for Secrets, and models that are loaded with them.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn secret(&self, key: &str, value: &str) {
        std::fs::write(self.folder.path().join(key), value).unwrap();
    }

    fn mounts(&self) -> Mounts {
        let folder: PathBuf = self.folder.path().into();
        Mounts { load: folder.clone(), credentials: folder }
    }

    fn look(&self, sensors: &str, load: &str) -> Result<Model, LoadError> {
        let detector = detector(sensors, &format!("{{load: {load}}}"));
        let spec = detector.spec().model.load.clone().unwrap();
        let loader = Loader::new(&spec, &self.mounts(), Outgoing::default()).unwrap();
        let mut loader = loader.with_importer(Importer::program(env!("CARGO_BIN_EXE_detector").into()));
        match loader.look(&detector)? {
            Found::Model(model) => Ok(std::sync::Arc::into_inner(model).unwrap()),
            found => panic!("a first look finds something: {found:?}"),
        }
    }
}

fn loaded(load: &str) -> Result<Model, LoadError> {
    Case::new().look(SENSORS, load)
}

/// (reason, sentence) of a load that must be refused.
fn refused(load: &str) -> (Reason, String) {
    let error = loaded(load).unwrap_err();
    (error.reason(), error.to_string())
}

#[test]
fn a_model_is_loaded_from_http_as_it_is() {
    let server = server();
    let digest = forest::artifact::digest(&artifact());
    for path in ["model", "moved"] {
        let model = loaded(&format!("{{url: '{server}/{path}'}}")).unwrap();
        let report = model.report(crd::valid::ThresholdRule::Score(0.5));
        assert_eq!((report.digest, report.origin), (digest.clone(), Some(crd::status::Origin::Loaded)));
    }
    let sum = digest.trim_start_matches("sha256:");
    assert!(loaded(&format!("{{url: '{server}/model', sha256: {sum}}}")).is_ok());
}

#[test]
fn every_refusal_of_a_server_is_said_in_a_sentence_with_a_reason() {
    let server = server();
    let wrong = "0".repeat(64);
    let sum = forest::artifact::digest(&artifact());
    let sum = sum.trim_start_matches("sha256:");
    let limit = 256 << 20;
    let cases = [
        (
            format!("{{url: '{server}/model', sha256: '{wrong}'}}"),
            Reason::DigestMismatch,
            format!("the file must have the SHA-256 {wrong}, got {sum}"),
        ),
        (
            format!("{{url: '{server}/2gib'}}"),
            Reason::ModelTooLarge,
            format!("a model must be at most {limit} bytes, got 2147483648"),
        ),
        (
            format!("{{url: '{server}/endless'}}"),
            Reason::ModelTooLarge,
            format!("a model must be at most {limit} bytes, got more"),
        ),
        (
            format!("{{url: '{server}/nowhere'}}"),
            Reason::LoadFailed,
            format!("{server}/nowhere: the server answered 404 Not Found"),
        ),
        (
            format!("{{url: '{server}/locked'}}"),
            Reason::LoadFailed,
            format!("{server}/locked: the server answered 401 Unauthorized"),
        ),
        (
            format!("{{url: '{server}/metadata'}}"),
            Reason::AddressRefused,
            format!("{server}/metadata: a detector may not connect to 169.254.169.254, a link-local address; --allow-address permits it"),
        ),
        (
            format!("{{url: '{server}/mapped'}}"),
            Reason::AddressRefused,
            format!("{server}/mapped: a detector may not connect to ::ffff:169.254.169.254, a link-local address; --allow-address permits it"),
        ),
        (
            format!("{{url: '{server}/zero'}}"),
            Reason::AddressRefused,
            format!("{server}/zero: a detector may not connect to 0.0.0.0, an unspecified address; --allow-address permits it"),
        ),
        (
            "{url: 'http://169.254.169.254/model'}".to_owned(),
            Reason::AddressRefused,
            "http://169.254.169.254/model: a detector may not connect to 169.254.169.254, a link-local address; --allow-address permits it"
                .to_owned(),
        ),
        (
            "{url: 's3://bucket/model', endpoint: 'http://169.254.169.254'}".to_owned(),
            Reason::AddressRefused,
            "s3://bucket/model: a detector may not connect to 169.254.169.254, a link-local address; --allow-address permits it".to_owned(),
        ),
        (
            format!("{{url: '{server}/round'}}"),
            Reason::LoadFailed,
            format!("{server}/round: more than 5 redirects"),
        ),
    ];
    for (load, reason, sentence) in cases {
        assert_eq!(refused(&load), (reason, sentence), "{load}");
    }
    for (path, reason) in [("truncated", Reason::ArtifactInvalid), ("cut-off", Reason::LoadFailed)] {
        assert_eq!(refused(&format!("{{url: '{server}/{path}'}}")).0, reason, "{path}");
    }
}

#[test]
fn a_name_is_refused_by_what_it_resolves_to() {
    let server = server().replace("127.0.0.1", "localhost");
    let load = format!("{{url: '{server}/model'}}");
    assert!(loaded(&load).is_ok(), "on a laptop");
    let detector = detector(SENSORS, &format!("{{load: {load}}}"));
    let spec = detector.spec().model.load.clone().unwrap();
    let mut loader =
        Loader::new(&spec, &Mounts::default(), Outgoing::guarded(AddressGuard::pod(), None)).unwrap();
    let error = loader.look(&detector).unwrap_err();
    assert_eq!(error.reason(), Reason::AddressRefused);
    assert!(error.to_string().contains(", a loopback address"), "{error}");
}

#[test]
fn other_columns_than_the_sensors_are_refused() {
    let server = server();
    let look = |sensors: &str| Case::new().look(sensors, &format!("{{url: '{server}/model'}}")).unwrap_err();
    let error = look("{name: load}, {name: heat}");
    assert_eq!(error.reason(), Reason::ColumnsMismatch);
    assert_eq!(error.to_string(), "the model's columns must be the sensors load, heat, got heat, load");
    assert_eq!(
        look("{name: heat}").to_string(),
        "the model's columns must be the sensors heat, got heat, load"
    );
}

#[test]
fn secrets_open_what_is_locked() {
    let load = format!("{{url: '{}/locked', credentialsSecretRef: {{name: key}}}}", server());
    let case = Case::new();
    let missing = case.look(SENSORS, &load).unwrap_err();
    assert!(missing.to_string().contains("username: No such file"), "{missing}");
    case.secret("username", "plum\n");
    case.secret("password", "pudding\n");
    assert!(case.look(SENSORS, &load).is_ok());
    case.secret("token", "wrong");
    assert_eq!(case.look(SENSORS, &load).unwrap_err().reason(), Reason::LoadFailed);
    case.secret("token", "swordfish");
    assert!(case.look(SENSORS, &load).is_ok());
}

#[test]
fn a_redirect_to_another_host_carries_no_credentials() {
    let (server, case) = (server(), Case::new());
    case.secret("token", "swordfish");
    assert!(
        case.look(SENSORS, &format!("{{url: '{server}/away', credentialsSecretRef: {{name: key}}}}")).is_ok()
    );
    assert_eq!(*SPIED.lock().unwrap(), [[false, false]]);

    for key in ["accessKeyId", "secretAccessKey", "sessionToken"] {
        case.secret(key, "secret");
    }
    let load = format!(
        "{{url: 's3://models/pump', endpoint: '{server}/s3-away', credentialsSecretRef: {{name: key}}}}"
    );
    let error = case.look(SENSORS, &load).unwrap_err().to_string();
    assert!(error.starts_with("s3://models/pump: a redirect to http://localhost:"), "{error}");
    assert!(error.ends_with(" would carry the credentials of another host"), "{error}");
    assert_eq!(SPIED.lock().unwrap().len(), 1, "no second request");
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    let load = crd::load::Load {
        url: Some("http://plum:pudding@127.0.0.1:1/model?token=swordfish".to_owned()),
        ..from_a_url()
    };
    let detector = detector(SENSORS, "{load: {url: 'http://127.0.0.1:1/model'}}");
    let mut loader = Loader::new(&load, &Mounts::default(), Outgoing::default()).unwrap();
    let error = loader.look(&detector).unwrap_err().to_string();
    assert!(error.starts_with("http://127.0.0.1:1/model: "), "{error}");
    assert!(!["plum", "pudding", "swordfish"].iter().any(|secret| error.contains(secret)), "{error}");
}

fn from_a_url() -> crd::load::Load {
    detector(SENSORS, "{load: {url: 'http://127.0.0.1:1/model'}}").spec().model.load.clone().unwrap()
}

#[test]
fn other_systems_files_are_taken_as_they_are_and_nameless_columns_get_the_sensors_names() {
    let case = Case::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/interchange/tests/fixtures/1.0.2");
    for name in ["lone.p5.pkl", "lone.joblib", "plain.onnx"] {
        let file = std::fs::read(format!("{folder}/{name}")).unwrap();
        let columns = interchange::read(&file).unwrap().ensemble.columns();
        std::fs::write(case.folder.path().join("model"), &file).unwrap();
        let names: Vec<String> = (0..=columns).map(|i| format!("s{i}")).collect();
        let sensors: Vec<String> = names.iter().map(|name| format!("{{name: {name}}}")).collect();
        let look = |sensors: &[String]| case.look(&sensors.join(", "), "{configMap: {name: x}}");
        assert_eq!(look(&sensors[..columns]).unwrap().sensors(), &names[..columns]);
        assert_eq!(look(&sensors).unwrap_err().reason(), Reason::ColumnsMismatch, "{name}");
    }
}
