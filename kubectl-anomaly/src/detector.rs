//! A detector's name in; its answers out, through a cluster or from an address.

use crd::AnomalyDetector;
use futures::{FutureExt, future::BoxFuture};
use hyper::body::Incoming;
use kube::ResourceExt;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::access::Access;
use crate::cluster::{Cluster, Place};
use crate::credentials::Credentials;
use crate::error::CommandError;
use crate::request::{DetectorRequest, Stream, read_body, send};

/// The detector that a command sends requests to.
#[derive(Clone, Debug, clap::Args)]
pub struct Named {
    /// The name of the detector
    pub name: String,
    /// Send requests to this address instead of through a cluster, for `detector run` on a laptop or for a
    /// port-forward; https://HOST:PORT uses TLS
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
}

/// A detector that requests can be sent to.
#[derive(Clone)]
pub struct Detector {
    name: String,
    route: Route,
    access: Access,
}

/// How the detector is reached: through the API server, or at an address.
#[derive(Clone)]
enum Route {
    Cluster { cluster: Cluster, namespace: String },
    Address(String),
}

impl Detector {
    /// Find the detector that the arguments name, on the cluster or at its address.
    ///
    /// # Errors
    /// The cluster cannot be reached, or has no such detector.
    pub async fn find(named: &Named, place: &Place) -> Result<Self, CommandError> {
        if let Some(address) = &named.address {
            let (access, address) = Access::at(address, &place.credentials)?;
            return Ok(Self { name: named.name.clone(), route: Route::Address(address.to_owned()), access });
        }
        let cluster = Cluster::connect(place).await?;
        let detector = cluster.detector(&named.name).await?;
        Self::on(cluster, &detector, &place.credentials).await
    }

    /// Return a detector on a cluster, with the access that its spec requires.
    ///
    /// # Errors
    /// A certificate, key or token that the detector requires cannot be read.
    pub async fn on(
        cluster: Cluster,
        detector: &AnomalyDetector,
        credentials: &Credentials,
    ) -> Result<Self, CommandError> {
        let access = Access::on(&cluster, detector, credentials).await?;
        let namespace = detector.namespace().unwrap_or_default();
        Ok(Self { name: detector.name_any(), route: Route::Cluster { cluster, namespace }, access })
    }

    /// The detector's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Open a new stream to the detector.
    ///
    /// # Errors
    /// It cannot be reached.
    pub fn stream(&self) -> BoxFuture<'static, Result<Box<dyn Stream>, CommandError>> {
        let Self { name, route, access } = self.clone();
        async move {
            match route {
                Route::Cluster { cluster, namespace } => {
                    access.secure(cluster.stream(&namespace, &name).await?).await
                }
                Route::Address(address) => access.secure(TcpStream::connect(address).await?).await,
            }
        }
        .boxed()
    }

    /// Send a request, and return the answer's body as a stream.
    ///
    /// # Errors
    /// The detector cannot be reached, or refuses.
    pub async fn follow(&self, request: DetectorRequest) -> Result<Incoming, CommandError> {
        send(self.stream().await?, request, self.access.authorization()).await
    }

    /// Send a request, and return the answer's JSON.
    ///
    /// # Errors
    /// The detector cannot be reached, refuses, or does not answer with JSON.
    pub async fn request(&self, request: DetectorRequest) -> Result<Value, CommandError> {
        Ok(serde_json::from_slice(&read_body(self.follow(request).await?).await?)?)
    }
}
