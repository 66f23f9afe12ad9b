//! The serving part of the spec: how requests to the predict port are secured, and by which rules of HTTP they are answered.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::pod::CaBundle;
use crate::secret::{SecretKeyRef, SecretRef};

/// How the predict port answers. Metrics and probes have a port of their own, which this does not change: it stays plain HTTP,
/// for Prometheus, the kubelet and the operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Serving {
    /// HTTPS instead of HTTP, with HTTP/2 and gRPC for clients that ask for it. Default: HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,

    /// Who may ask. Default: anyone who reaches the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,

    /// Which other web pages may ask from a browser. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,

    /// How long a connection may be idle before it is closed, 1s to 1h. Longer than proxies keep theirs, so that they close
    /// first. Default: 75s.
    #[serde(default = "keep_alive")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('1h')")
        .message(Message::Expression("'must be between 1s and 1h, got ' + self".into())))]
    pub keep_alive: Duration,
}

/// A certificate, and perhaps whose certificates clients must have. TLS 1.2 and 1.3. Secrets are mounted into the pods and
/// never read by the operator; what changes in them takes effect within two minutes, without a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// The Secret with the certificate chain under `tls.crt` and its private key under `tls.key`, both PEM, as cert-manager
    /// and `kubectl create secret tls` write it. Pods start once it is there. Example: {name: boiler-tls}.
    pub secret_ref: SecretRef,

    /// The authorities one of which must have signed a client's certificate (mutual TLS). Default: clients need none.
    /// Example: {secret: {name: boiler-tls, key: ca.crt}}.
    #[serde(default, rename = "clientCA", skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<CaBundle>,
}

/// Requests without a valid token are answered 401.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// The tokens, one a line, each at least 16 characters. Any of them is valid: to replace one, add the new one first.
    /// Clients send `Authorization: Bearer TOKEN`; browsers ask for a password, which is the token. Requests that push
    /// readings to a source with a token of its own need that one instead. What changes in the Secret takes effect within
    /// two minutes, without a restart. Example: {name: boiler-clients, key: tokens}.
    pub tokens_secret_ref: SecretKeyRef,
}

/// Cross-origin resource sharing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cors {
    /// The origins, 1 to 32, of the pages that may ask, as browsers send them: a scheme, a host in lower case, and the port
    /// unless it is the scheme's own; or `*` for all. Example: https://scada.plant.
    #[schemars(
        length(min = 1, max = 32),
        inner(length(min = 1, max = 253), regex(pattern = r"^(\*|[a-z][a-z0-9+.-]*://[a-z0-9.:\[\]_-]+)$"))
    )]
    pub allowed_origins: Vec<String>,
}

fn keep_alive() -> Duration {
    Duration::from_secs(75)
}

impl Default for Serving {
    fn default() -> Self {
        Self { tls: None, authentication: None, cors: None, keep_alive: keep_alive() }
    }
}
