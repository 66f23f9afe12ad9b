//! Requests to other people's servers: every one goes through a `Client` of this room, which goes nowhere that a detector
//! must not, trusts the public certificate authorities and those of the plant, and carries no secret to another host.

/// Which addresses a detector may connect to.
pub mod address;
/// Connections: certificate authorities, names, redirects.
pub mod client;
/// Why there is no client, why a request failed, and urls as people may read them.
pub mod failure;

pub use address::{AddressGuard, AddressRefused};
pub use client::{Client, Identity, Redirects};
pub use failure::OutgoingError;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::TcpStream;

/// What all clients of a detector have in common.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    guard: AddressGuard,
    ca_bundle: Option<PathBuf>,
}

impl Outgoing {
    /// For where this program runs, in a pod or on a laptop. The addresses of `allowed` may be connected to
    /// although they would be refused; the certificates of `ca_bundle`, a PEM file, are trusted beside the public ones.
    ///
    /// # Errors
    /// The file cannot be read, or holds no certificate.
    pub fn new(allowed: &[IpNet], ca_bundle: Option<&Path>) -> Result<Self, OutgoingError> {
        let outgoing = Self::guarded(AddressGuard::here().allowing(allowed), ca_bundle);
        // Those of the system are read where a connection needs them.
        ca_bundle.map(|_| outgoing.authorities()).transpose()?;
        Ok(outgoing)
    }

    /// With this guard, wherever this program runs.
    pub fn guarded(guard: AddressGuard, ca_bundle: Option<&Path>) -> Self {
        Self { guard, ca_bundle: ca_bundle.map(Path::to_owned) }
    }

    /// A client whose requests end within `deadline`, body included. The certificate authorities are read again, since a
    /// mounted file may have been renewed, and so are the API server's addresses.
    ///
    /// # Errors
    /// As [`Outgoing::new`].
    pub async fn client(&self, deadline: Duration, redirects: Redirects) -> Result<Client, OutgoingError> {
        Client::new(self.guard.with_api_server().await, self.authorities()?, deadline, redirects, None)
    }

    /// The same for a server of its own: where `authorities`, a PEM file, is given it is trusted beside the others, and
    /// `identity` is who to be.
    ///
    /// # Errors
    /// As [`Outgoing::new`], or the identity cannot be read.
    pub async fn client_of(
        &self,
        authorities: Option<&Path>,
        identity: Option<&Identity>,
        deadline: Duration,
    ) -> Result<Client, OutgoingError> {
        let trusted = client::authorities(authorities.or(self.ca_bundle.as_deref()))?;
        Client::new(self.guard.with_api_server().await, trusted, deadline, Redirects::None, identity)
    }

    /// What TLS needs for a server of its own, as [`Outgoing::client_of`] has it.
    ///
    /// # Errors
    /// As [`Outgoing::client_of`].
    pub fn tls_of(
        &self,
        authorities: Option<&Path>,
        identity: Option<&Identity>,
    ) -> Result<rustls::ClientConfig, OutgoingError> {
        client::tls(client::authorities(authorities.or(self.ca_bundle.as_deref()))?, identity)
    }

    /// A connection to a server that speaks another protocol than HTTP. A name with one address that is refused is refused
    /// as a whole.
    ///
    /// # Errors
    /// The name has no address, the guard refuses one, or none answers.
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let guard = self.guard.with_api_server().await;
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
        addresses.iter().try_for_each(|address| guard.check(address.ip())).map_err(io::Error::other)?;
        let stream = TcpStream::connect(&*addresses).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn authorities(&self) -> Result<rustls::RootCertStore, OutgoingError> {
        client::authorities(self.ca_bundle.as_deref())
    }
}
