//! A detector's name in; what it answers out: through a cluster, or at an address where something has put it.

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
use crate::request::{Question, Stream, ask, whole};

/// Which detector.
#[derive(Clone, Debug, clap::Args)]
pub struct Named {
    /// The detector
    pub name: String,
    /// Ask the detector at this address, without a cluster: `detector run` on a laptop, or a port-forward; https://HOST:PORT
    /// by TLS
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
}

/// A detector that can be asked.
#[derive(Clone)]
pub struct Detector {
    name: String,
    way: Way,
    access: Access,
}

/// How it is reached.
#[derive(Clone)]
enum Way {
    Cluster { cluster: Cluster, namespace: String },
    Address(String),
}

impl Detector {
    /// The detector that is named.
    ///
    /// # Errors
    /// There is no cluster, or no such detector on it.
    pub async fn find(named: &Named, place: &Place) -> Result<Self, CommandError> {
        if let Some(address) = &named.address {
            let (access, address) = Access::at(address, &place.credentials)?;
            return Ok(Self { name: named.name.clone(), way: Way::Address(address.to_owned()), access });
        }
        let cluster = Cluster::connect(place).await?;
        let detector = cluster.detector(&named.name).await?;
        Self::on(cluster, &detector, &place.credentials).await
    }

    /// A detector on a cluster.
    ///
    /// # Errors
    /// What it asks of its clients cannot be read.
    pub async fn on(
        cluster: Cluster,
        detector: &AnomalyDetector,
        credentials: &Credentials,
    ) -> Result<Self, CommandError> {
        let access = Access::on(&cluster, detector, credentials).await?;
        let namespace = detector.namespace().unwrap_or_default();
        Ok(Self { name: detector.name_any(), way: Way::Cluster { cluster, namespace }, access })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A new stream to it.
    ///
    /// # Errors
    /// It cannot be reached.
    pub fn stream(&self) -> BoxFuture<'static, Result<Box<dyn Stream>, CommandError>> {
        let Self { name, way, access } = self.clone();
        async move {
            match way {
                Way::Cluster { cluster, namespace } => {
                    access.secure(cluster.stream(&namespace, &name).await?).await
                }
                Way::Address(address) => access.secure(TcpStream::connect(address).await?).await,
            }
        }
        .boxed()
    }

    /// Ask it; the answer comes as it is read.
    ///
    /// # Errors
    /// It cannot be reached, or refuses.
    pub async fn follow(&self, question: Question) -> Result<Incoming, CommandError> {
        ask(self.stream().await?, question, self.access.authorization()).await
    }

    /// Ask it for JSON.
    ///
    /// # Errors
    /// It cannot be reached, refuses, or is no detector.
    pub async fn ask(&self, question: Question) -> Result<Value, CommandError> {
        Ok(serde_json::from_slice(&whole(self.follow(question).await?).await?)?)
    }
}
