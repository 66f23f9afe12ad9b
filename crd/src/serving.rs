//! The serving part of the spec: how requests to the predict port are secured, and by which rules of HTTP they are answered.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::pod::CaBundle;
use crate::secret::{SecretKeyRef, SecretRef};

/// The settings of the predict port. Metrics and probes have a port of their own, which stays plain HTTP, for
/// Prometheus, the kubelet and the operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Serving {
    /// HTTPS instead of HTTP, with HTTP/2 and gRPC for clients that request it. Default: HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,

    /// The tokens of the clients that may send requests. Default: none, every client that reaches the port
    /// may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,

    /// The web pages of other origins that may send requests from a browser. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,

    /// How long a connection may be idle before it is closed, 1s to 1h. It should be longer than the idle
    /// timeout of proxies, so that they close connections first. Default: 75s.
    #[serde(default = "keep_alive")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('1h')")
        .message(Message::Expression("'must be between 1s and 1h, got ' + self".into())))]
    pub keep_alive: Duration,
}

/// The certificate of the server, and perhaps the authorities of client certificates. TLS 1.2 and 1.3.
/// Secrets are mounted into the pods and never read by the operator; a change in them takes effect within two
/// minutes, without a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// The Secret with the certificate chain under `tls.crt` and its private key under `tls.key`, both PEM,
    /// as cert-manager and `kubectl create secret tls` write it. Pods do not start before it exists.
    /// Example: {name: boiler-tls}.
    pub secret_ref: SecretRef,

    /// The authorities of client certificates (mutual TLS): each client must have a certificate that one of
    /// them has signed. Default: clients need no certificate.
    /// Example: {secret: {name: boiler-tls, key: ca.crt}}.
    #[serde(default, rename = "clientCA", skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<CaBundle>,
}

/// Requests without a valid token are answered 401.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// The tokens, one per line, each at least 16 characters. Any of them is valid: to replace one, add the
    /// new one first. Clients send `Authorization: Bearer TOKEN`; browsers ask for a password, which is the
    /// token. Requests that push readings to a source with a token of its own need that token instead. A
    /// change in the Secret takes effect within two minutes, without a restart.
    /// Example: {name: boiler-clients, key: tokens}.
    pub tokens_secret_ref: SecretKeyRef,
}

/// Cross-origin resource sharing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cors {
    /// The origins of the pages that may send requests, 1 to 32, as browsers send them: a scheme, a host in
    /// lower case, and the port unless it is the default port of the scheme; or `*` for all.
    /// Example: https://scada.plant.
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
