//! The arguments and the spec in; the certificate of the server, and the tokens that requests must have, out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crd::contract::{
    CA_FILE, CLIENT_CA_DIRECTORY, TLS_CERTIFICATE_FILE, TLS_DIRECTORY, TLS_KEY_FILE, TOKENS_DIRECTORY,
    TOKENS_FILE,
};
use crd::serving::Serving;
use rustls::ServerConfig;

use super::args::RunArgs;
use crate::serving::reloaded::Reloaded;
use crate::serving::tls::{self, Tls};
use crate::serving::tokens::Tokens;

/// The TLS and the tokens that secure requests. Default: neither.
#[derive(Clone, Default)]
pub(super) struct Security {
    tls: Option<Arc<Tls>>,
    /// The valid tokens; `None` where requests need no token.
    pub(super) tokens: Option<Arc<Reloaded<Tokens>>>,
}

impl Security {
    /// Read the certificates and tokens that the spec or the arguments request: from the files that the
    /// arguments name, else from the folders that the operator mounts. A requested file that is missing is an
    /// error, so that no request is answered without it.
    pub(super) fn new(args: &RunArgs, serving: &Serving) -> Result<Self, String> {
        let mounted = |directory: &str, file: &str| Path::new(directory).join(file);
        let mounted_folder = serving.tls.as_ref().map(|_| PathBuf::from(TLS_DIRECTORY));
        let requested_ca = serving.tls.as_ref().and_then(|tls| tls.client_ca.as_ref());
        let client_ca = requested_ca.map(|_| mounted(CLIENT_CA_DIRECTORY, CA_FILE));
        let client_ca = args.client_ca.clone().or(client_ca);
        let folder = args.tls.clone().or(mounted_folder);
        if folder.is_none() && client_ca.is_some() {
            return Err("--client-ca: expected --tls too, which says where the certificate is".to_owned());
        }
        let tls = folder.map(|folder| {
            tls::start(folder.join(TLS_CERTIFICATE_FILE), folder.join(TLS_KEY_FILE), client_ca.clone())
                .map_err(|why| {
                    format!("{why} (--tls FOLDER and --client-ca FILE say where certificates are)")
                })
        });
        let tokens = serving.authentication.as_ref().map(|_| mounted(TOKENS_DIRECTORY, TOKENS_FILE));
        let tokens = args.tokens.clone().or(tokens).map(|file| {
            Reloaded::start(vec![file], Tokens::parse)
                .map_err(|why| format!("{why} (--tokens FILE says where tokens are)"))
        });
        Ok(Self { tls: tls.transpose()?, tokens: tokens.transpose()? })
    }

    /// The TLS configuration for the next handshake; `None` without TLS.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.as_ref().map(|tls| (*tls.current()).clone())
    }
}
