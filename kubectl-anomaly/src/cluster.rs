//! A kubeconfig in; detectors, their pods, and streams to the pods through the API server out.

use crd::AnomalyDetector;
use crd::contract::{DETECTOR_LABEL, PREDICT_PORT};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};

use crate::error::CommandError;
use crate::request::Stream;

/// Which cluster, and where on it.
#[derive(Clone, Debug, clap::Args)]
pub struct Place {
    /// The namespace of the detector [default: that of the kubeconfig's context]
    #[arg(short, long, global = true)]
    pub namespace: Option<String>,
    /// The kubeconfig's context [default: its current one]
    #[arg(long, global = true)]
    pub context: Option<String>,
    /// The kubeconfig [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<std::path::PathBuf>,
}

/// A cluster, and the namespace that is meant where none is named.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
}

impl Cluster {
    /// Connect as the kubeconfig says.
    ///
    /// # Errors
    /// There is none, or it is no good.
    pub async fn connect(place: &Place) -> Result<Self, CommandError> {
        let options = KubeConfigOptions { context: place.context.clone(), ..KubeConfigOptions::default() };
        let config = match &place.kubeconfig {
            Some(file) => Config::from_custom_kubeconfig(Kubeconfig::read_from(file)?, &options).await?,
            None => Config::from_kubeconfig(&options).await?,
        };
        let namespace = place.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self { client: Client::try_from(config)?, namespace })
    }

    /// The namespace that is meant.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The detectors of the namespace, or of all.
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

    /// A stream to a pod of the detector that is ready: to the port of predictions.
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
        let detectors: Api<AnomalyDetector> = Api::namespaced(self.client.clone(), namespace);
        let hint = match detectors.get_opt(name).await? {
            None => ": there is no such detector, `kubectl get ad -A` lists them",
            Some(_) => ": `kubectl describe ad` says why",
        };
        Err(CommandError::NoPod { name: name.to_owned(), namespace: namespace.to_owned(), hint })
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let is_ready = conditions.into_iter().any(|each| each.type_ == "Ready" && each.status == "True");
    is_ready && pod.metadata.deletion_timestamp.is_none()
}
