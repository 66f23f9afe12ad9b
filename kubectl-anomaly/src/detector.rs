//! A detector's name in; what it answers out: through a cluster, or at an address where something has put it.

use futures::{FutureExt, future::BoxFuture};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::cluster::{Cluster, Place};
use crate::error::CommandError;
use crate::request::{Question, Stream, ask, whole};

/// Which detector.
#[derive(Clone, Debug, clap::Args)]
pub struct Named {
    /// The detector
    pub name: String,
    /// Ask the detector at this address, without a cluster: `detector run` on a laptop, or a port-forward
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
}

/// A detector that can be asked.
#[derive(Clone)]
pub struct Detector {
    name: String,
    way: Way,
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
    /// There is no cluster.
    pub async fn find(named: &Named, place: &Place) -> Result<Self, CommandError> {
        if let Some(address) = &named.address {
            return Ok(Self { name: named.name.clone(), way: Way::Address(address.clone()) });
        }
        let cluster = Cluster::connect(place).await?;
        let namespace = cluster.namespace().to_owned();
        Ok(Self::on(cluster, namespace, named.name.clone()))
    }

    /// A detector on a cluster.
    pub fn on(cluster: Cluster, namespace: String, name: String) -> Self {
        Self { name, way: Way::Cluster { cluster, namespace } }
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
        let Self { name, way } = self.clone();
        async move {
            Ok(match way {
                Way::Cluster { cluster, namespace } => {
                    Box::new(cluster.stream(&namespace, &name).await?) as Box<dyn Stream>
                }
                Way::Address(address) => Box::new(TcpStream::connect(address).await?),
            })
        }
        .boxed()
    }

    /// Ask it; the answer comes as it is read.
    ///
    /// # Errors
    /// It cannot be reached, or refuses.
    pub async fn follow(&self, question: Question) -> Result<Incoming, CommandError> {
        ask(self.stream().await?, question).await
    }

    /// Ask it for JSON.
    ///
    /// # Errors
    /// It cannot be reached, refuses, or is no detector.
    pub async fn ask(&self, question: Question) -> Result<Value, CommandError> {
        Ok(serde_json::from_slice(&whole(self.follow(question).await?).await?)?)
    }
}
