//! A plan in, the ServiceAccount of the pods out, or none where the spec names an existing one.

use k8s_openapi::api::core::v1::ServiceAccount;

use crate::plan::Plan;

/// An account without rights, whose token no pod mounts.
pub fn build(plan: &Plan) -> Option<ServiceAccount> {
    plan.detector.spec().pod.service_account_name.is_none().then(|| ServiceAccount {
        metadata: plan.metadata(),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    })
}
