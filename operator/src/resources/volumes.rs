//! A plan in, the volumes and mounts of the pods' container out: the manifest, the stored model, a directory
//! for state that survives a restart, Secrets and certificates, and the volumes of the spec.

use crd::contract::{
    CA_DIRECTORY, CA_FILE, CLIENT_CA_DIRECTORY, CONFIG_DIRECTORY, CREDENTIALS_DIRECTORY, LOAD_DIRECTORY,
    MODEL_DIRECTORY, SIGNING_DIRECTORY, SOURCE_CREDENTIALS_DIRECTORY, STATE_DIRECTORY, TLS_CERTIFICATE_FILE,
    TLS_DIRECTORY, TLS_KEY_FILE, TOKENS_DIRECTORY, TOKENS_FILE,
};
use crd::load::Load;
use crd::notification::Notification;
use crd::pod::{self, CaBundle};
use crd::serving::Serving;
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource, SecretProjection, SecretVolumeSource, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::model::pointer_name;
use crate::plan::Plan;

/// The size limit of the state directory, on the pod's node.
const MAX_STATE: &str = "64Mi";

/// A volume and the directory where the container finds it.
pub struct Mounted {
    volume: Volume,
    directory: String,
    read_only: bool,
}

/// The operator's volumes of a pod, in the order in which the pod lists them.
///
/// A ConfigMap or Secret that the spec names need not exist for the pod to start (those for TLS, tokens and
/// certificate authorities must): a running detector reports what is missing better than a pod that never
/// starts, and a model that serves keeps serving.
pub fn of(plan: &Plan) -> Vec<Mounted> {
    let spec = plan.detector.spec();
    let load = spec.model.load.as_ref();
    let mut mounted = vec![
        read_only("manifest", CONFIG_DIRECTORY, config_map(plan.name(), false)),
        read_only("model", MODEL_DIRECTORY, config_map(pointer_name(&plan.name()), true)),
        Mounted { volume: named("state", state()), directory: STATE_DIRECTORY.to_owned(), read_only: false },
    ];
    mounted.extend(load.and_then(source).map(|source| read_only("load", LOAD_DIRECTORY, source)));
    let credentials = load.and_then(|load| load.credentials_secret_ref.as_ref());
    mounted.extend(
        credentials.map(|reference| read_only("credentials", CREDENTIALS_DIRECTORY, secret(&reference.name))),
    );
    mounted.extend(sources(plan));
    mounted
        .extend(signing_keys(&spec.notifications).map(|keys| read_only("signing", SIGNING_DIRECTORY, keys)));
    mounted.extend(
        spec.pod.ca_bundle.as_ref().map(|from| read_only("ca-bundle", CA_DIRECTORY, certificates(from))),
    );
    mounted.extend(serving(&spec.serving));
    mounted
}

/// The certificate, the certificate authorities of clients, and the tokens. They must exist: without them
/// every request would be refused, or every client accepted.
fn serving(serving: &Serving) -> impl Iterator<Item = Mounted> {
    let tls = serving.tls.as_ref();
    let certificate = tls.map(|tls| {
        let files = [TLS_CERTIFICATE_FILE, TLS_KEY_FILE].map(|file| (file, file));
        read_only("tls", TLS_DIRECTORY, keys(&tls.secret_ref.name, &files))
    });
    let authorities = tls.and_then(|tls| tls.client_ca.as_ref());
    let authorities = authorities.map(|from| read_only("client-ca", CLIENT_CA_DIRECTORY, certificates(from)));
    let tokens = serving.authentication.as_ref().map(|authentication| {
        let secret = &authentication.tokens_secret_ref;
        read_only("tokens", TOKENS_DIRECTORY, keys(&secret.name, &[(&secret.key, TOKENS_FILE)]))
    });
    [certificate, authorities, tokens].into_iter().flatten()
}

/// The volumes of `spec.pod.volumes`.
pub fn of_spec(plan: &Plan) -> Vec<Volume> {
    plan.detector.spec().pod.volumes.iter().map(volume_of_spec).collect()
}

/// The mounts of `spec.pod.volumeMounts`.
pub fn mounts_of_spec(plan: &Plan) -> Vec<VolumeMount> {
    let mount = |mount: &pod::VolumeMount| VolumeMount {
        name: mount.name.clone(),
        mount_path: mount.mount_path.clone(),
        sub_path: mount.sub_path.clone(),
        read_only: mount.read_only.then_some(true),
        ..VolumeMount::default()
    };
    plan.detector.spec().pod.volume_mounts.iter().map(mount).collect()
}

/// The Secrets of sources, each in a folder of the source's name. The volume's name must be short, so it is a number.
fn sources(plan: &Plan) -> impl Iterator<Item = Mounted> {
    plan.detector.sources().iter().enumerate().filter_map(|(index, source)| {
        let (name, key) = source.kind.secret()?;
        let mut volume = secret(name);
        if let (Some(secret), Some(key)) = (&mut volume.secret, key) {
            let item = KeyToPath { key: key.to_owned(), path: key.to_owned(), mode: None };
            secret.items = Some(vec![item]);
        }
        let directory = format!("{SOURCE_CREDENTIALS_DIRECTORY}/{}", source.name);
        Some(read_only(&format!("source-{index}"), &directory, volume))
    })
}

impl Mounted {
    /// The volume for the pod's list.
    pub fn volume(self) -> Volume {
        self.volume
    }

    /// The mount for the container's list.
    pub fn mount(&self) -> VolumeMount {
        VolumeMount {
            name: self.volume.name.clone(),
            mount_path: self.directory.clone(),
            read_only: self.read_only.then_some(true),
            ..VolumeMount::default()
        }
    }
}

fn read_only(name: &str, directory: &str, volume: Volume) -> Mounted {
    Mounted { volume: named(name, volume), directory: directory.to_owned(), read_only: true }
}

fn named(name: &str, volume: Volume) -> Volume {
    Volume { name: name.to_owned(), ..volume }
}

fn config_map(name: String, optional: bool) -> Volume {
    let source = ConfigMapVolumeSource {
        name,
        optional: optional.then_some(true),
        ..ConfigMapVolumeSource::default()
    };
    Volume { config_map: Some(source), ..Volume::default() }
}

/// A volume with a Secret that need not exist. Only the container's group can read its files.
fn secret(name: &str) -> Volume {
    let source = SecretVolumeSource {
        secret_name: Some(name.to_owned()),
        optional: Some(true),
        default_mode: Some(0o440),
        ..SecretVolumeSource::default()
    };
    Volume { secret: Some(source), ..Volume::default() }
}

/// A volume with some keys of a Secret, each with its file name. The Secret and the keys must exist.
fn keys(secret: &str, files: &[(&str, &str)]) -> Volume {
    let item = |(key, path): &(&str, &str)| KeyToPath {
        key: (*key).to_owned(),
        path: (*path).to_owned(),
        mode: None,
    };
    let source = SecretVolumeSource {
        secret_name: Some(secret.to_owned()),
        items: Some(files.iter().map(item).collect()),
        default_mode: Some(0o440),
        ..SecretVolumeSource::default()
    };
    Volume { secret: Some(source), ..Volume::default() }
}

/// A volume with the signing keys of all notifications, in one file per notification, of its name; none where
/// no notification is signed.
fn signing_keys(notifications: &[Notification]) -> Option<Volume> {
    let key = |notification: &Notification| {
        let key = notification.webhook.signing_secret_ref.as_ref()?;
        let secret = SecretProjection {
            name: key.name.clone(),
            optional: Some(true),
            items: Some(vec![KeyToPath {
                key: key.key.clone(),
                path: notification.name.clone(),
                mode: None,
            }]),
        };
        Some(VolumeProjection { secret: Some(secret), ..VolumeProjection::default() })
    };
    let keys: Vec<_> = notifications.iter().filter_map(key).collect();
    let source = ProjectedVolumeSource { sources: Some(keys), default_mode: Some(0o440) };
    let is_empty = source.sources.as_ref().is_none_or(Vec::is_empty);
    (!is_empty).then(|| Volume { projected: Some(source), ..Volume::default() })
}

/// Convert a volume of the spec into a volume of a pod.
fn volume_of_spec(volume: &pod::Volume) -> Volume {
    Volume {
        name: volume.name.clone(),
        config_map: volume.config_map.as_ref().map(|from| ConfigMapVolumeSource {
            name: from.name.clone(),
            optional: from.optional.then_some(true),
            ..ConfigMapVolumeSource::default()
        }),
        secret: volume.secret.as_ref().map(|from| SecretVolumeSource {
            secret_name: Some(from.secret_name.clone()),
            optional: from.optional.then_some(true),
            default_mode: Some(0o440),
            ..SecretVolumeSource::default()
        }),
        persistent_volume_claim: volume.persistent_volume_claim.as_ref().map(|from| {
            PersistentVolumeClaimVolumeSource {
                claim_name: from.claim_name.clone(),
                read_only: from.read_only.then_some(true),
            }
        }),
        empty_dir: volume.empty_dir.as_ref().map(|from| EmptyDirVolumeSource {
            size_limit: from.size_limit.clone().map(Quantity),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// A volume with the one key of the bundle, under the file name that the detector expects. It must exist:
/// without it the detector trusts no server of the plant.
fn certificates(from: &CaBundle) -> Volume {
    let items =
        |key: &str| Some(vec![KeyToPath { key: key.to_owned(), path: CA_FILE.to_owned(), mode: None }]);
    Volume {
        config_map: from.config_map.as_ref().map(|from| ConfigMapVolumeSource {
            name: from.name.clone(),
            items: items(&from.key),
            ..ConfigMapVolumeSource::default()
        }),
        secret: from.secret.as_ref().map(|from| SecretVolumeSource {
            secret_name: Some(from.name.clone()),
            items: items(&from.key),
            default_mode: Some(0o440),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn state() -> Volume {
    let source = EmptyDirVolumeSource {
        size_limit: Some(Quantity(MAX_STATE.to_owned())),
        ..EmptyDirVolumeSource::default()
    };
    Volume { empty_dir: Some(source), ..Volume::default() }
}

/// The volume that a model is loaded from; none where the pod fetches it from an address.
fn source(load: &Load) -> Option<Volume> {
    if let Some(from) = &load.config_map {
        return Some(config_map(from.name.clone(), true));
    }
    let claim = load.persistent_volume_claim.as_ref()?;
    let source =
        PersistentVolumeClaimVolumeSource { claim_name: claim.claim_name.clone(), read_only: Some(true) };
    Some(Volume { persistent_volume_claim: Some(source), ..Volume::default() })
}
