//! The Authorization header of a scrape in, whether its bearer may read /metrics out: a TokenReview
//! identifies the bearer, and a SubjectAccessReview checks that it may `get` the path.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use thiserror::Error;

use crate::client::context::DEADLINE;

/// Checks with the API server whether a client may read the metrics.
#[derive(Clone)]
pub struct Authorization(Client);

/// Why a scrape is refused.
#[derive(Debug, Error)]
pub enum Refusal {
    /// The request has no bearer token.
    #[error("expected the header Authorization: Bearer TOKEN")]
    NoToken,
    /// The cluster does not know the token.
    #[error("the cluster does not accept the token")]
    Unknown,
    /// The cluster's rules do not allow it.
    #[error("{0} may not get /metrics")]
    Forbidden(String),
    /// The API server did not answer.
    #[error("the API server did not answer: {0}")]
    Unavailable(String),
}

impl Authorization {
    /// Return a checker that uses this client.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Check that a scrape with this header is allowed.
    ///
    /// # Errors
    /// The reason of the refusal.
    pub async fn admit(&self, authorization: Option<&str>) -> Result<(), Refusal> {
        let token = authorization.and_then(|header| header.strip_prefix("Bearer ")).map(str::trim);
        let token = token.filter(|token| !token.is_empty()).ok_or(Refusal::NoToken)?;
        let user = self.who_is(token).await?;
        let name = user.username.clone().unwrap_or_default();
        if self.may_scrape(user).await? { Ok(()) } else { Err(Refusal::Forbidden(name)) }
    }

    async fn who_is(&self, token: &str) -> Result<UserInfo, Refusal> {
        let spec = TokenReviewSpec { token: Some(token.to_owned()), audiences: None };
        let review = self.create(&TokenReview { spec, ..TokenReview::default() }).await?;
        let status = review.status.filter(|status| status.authenticated == Some(true));
        status.and_then(|status| status.user).ok_or(Refusal::Unknown)
    }

    async fn may_scrape(&self, user: UserInfo) -> Result<bool, Refusal> {
        let attributes =
            NonResourceAttributes { path: Some("/metrics".to_owned()), verb: Some("get".to_owned()) };
        let spec = SubjectAccessReviewSpec {
            user: user.username,
            groups: user.groups,
            uid: user.uid,
            extra: user.extra,
            non_resource_attributes: Some(attributes),
            resource_attributes: None,
        };
        let review = self.create(&SubjectAccessReview { spec, ..SubjectAccessReview::default() }).await?;
        Ok(review.status.is_some_and(|status| status.allowed))
    }

    async fn create<K>(&self, review: &K) -> Result<K, Refusal>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::Serialize
            + serde::de::DeserializeOwned,
    {
        let api: Api<K> = Api::all(self.0.clone());
        let reviewed = tokio::time::timeout(DEADLINE, api.create(&PostParams::default(), review)).await;
        let answer = reviewed.map_err(|_| Refusal::Unavailable(format!("no answer within {DEADLINE:?}")))?;
        answer.map_err(|error| Refusal::Unavailable(error.to_string()))
    }
}
