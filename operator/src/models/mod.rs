//! The models that pods serve in, the ConfigMaps that store them out.

/// The stored models -> which to fetch, to point at, to delete.
pub mod revisions;
/// The bytes of a pod's model -> whether they agree with its report.
pub mod artifact;
/// The models that pods serve -> ConfigMaps.
pub mod model_sync;
