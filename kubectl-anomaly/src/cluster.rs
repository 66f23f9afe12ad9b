//! A kubeconfig in; detectors, their pods, and streams to the pods through the API server out.

use crd::AnomalyDetector;
use crd::contract::{DETECTOR_LABEL, PREDICT_PORT};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};

use crate::credentials::Credentials;
use crate::error::CommandError;
use crate::request::Stream;

/// The cluster, the namespace and the credentials of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct Place {
    /// The namespace of the detector [default: that of the kubeconfig's context]
    #[arg(short, long, global = true)]
    pub namespace: Option<String>,
    /// The kubeconfig's context [default: the current context]
    #[arg(long, global = true)]
    pub context: Option<String>,
    /// The kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<std::path::PathBuf>,
    /// The token and the certificates for requests to detectors.
    #[command(flatten)]
    pub credentials: Credentials,
}

/// A client of a cluster, and the namespace in which detectors are looked up by default.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
}

impl Cluster {
    /// Create a client from the kubeconfig.
    ///
    /// # Errors
    /// There is no kubeconfig, or it is invalid.
    pub async fn connect(place: &Place) -> Result<Self, CommandError> {
        let options = KubeConfigOptions { context: place.context.clone(), ..KubeConfigOptions::default() };
        let config = match &place.kubeconfig {
            Some(file) => Config::from_custom_kubeconfig(Kubeconfig::read_from(file)?, &options).await?,
            None => Config::from_kubeconfig(&options).await?,
        };
        let namespace = place.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self { client: Client::try_from(config)?, namespace })
    }

    /// List the detectors of the namespace, or of all namespaces where `everywhere` is set.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn detectors(&self, everywhere: bool) -> Result<Vec<AnomalyDetector>, CommandError> {
        let api: Api<AnomalyDetector> = if everywhere {
            Api::all(self.client.clone())
        } else {
            Api::namespaced(self.client.clone(), &self.namespace)
        };
        Ok(api.list(&ListParams::default()).await?.items)
    }

    /// Get the detector of this name in the namespace.
    ///
    /// # Errors
    /// No detector has this name, or the API server refuses.
    pub async fn detector(&self, name: &str) -> Result<AnomalyDetector, CommandError> {
        let api: Api<AnomalyDetector> = Api::namespaced(self.client.clone(), &self.namespace);
        let none = ": there is no such detector, `kubectl get ad -A` lists them";
        api.get_opt(name).await?.ok_or_else(|| no_pod(&self.namespace, name, none))
    }

    /// Read the value of a key of a Secret.
    ///
    /// # Errors
    /// The Secret or the key does not exist, the Secret may not be read, or the value is not UTF-8.
    pub async fn secret(&self, namespace: &str, name: &str, key: &str) -> Result<String, CommandError> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let unread = |why: String| CommandError::Secret { secret: name.to_owned(), why };
        let secret = secrets.get(name).await.map_err(|error| unread(error.to_string()))?;
        let value = secret.data.as_ref().and_then(|data| data.get(key));
        let value = value.ok_or_else(|| unread(format!("it has no key {key}")))?;
        String::from_utf8(value.0.clone()).map_err(|_| unread(format!("{key} is not text")))
    }

    /// Open a stream to the port of predictions of a ready pod of the detector.
    ///
    /// # Errors
    /// There is no such pod, or the API server refuses.
    pub async fn stream(&self, namespace: &str, name: &str) -> Result<impl Stream + use<>, CommandError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let pod = self.pod(&pods, namespace, name).await?;
        let mut forwarder = pods.portforward(&pod, &[PREDICT_PORT]).await?;
        Ok(forwarder.take_stream(PREDICT_PORT).expect("the port was asked for"))
    }

    async fn pod(&self, pods: &Api<Pod>, namespace: &str, name: &str) -> Result<String, CommandError> {
        let labels = format!("app.kubernetes.io/name={DETECTOR_LABEL},app.kubernetes.io/instance={name}");
        let found = pods.list(&ListParams::default().labels(&labels)).await?.items;
        if let Some(ready) = found.iter().find(|pod| is_ready(pod)) {
            return Ok(ready.name_any());
        }
        Err(no_pod(namespace, name, ": `kubectl describe ad` says why"))
    }
}

fn no_pod(namespace: &str, name: &str, hint: &'static str) -> CommandError {
    CommandError::NoPod { name: name.to_owned(), namespace: namespace.to_owned(), hint }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let is_ready = conditions.into_iter().any(|each| each.type_ == "Ready" && each.status == "True");
    is_ready && pod.metadata.deletion_timestamp.is_none()
}
