//! The models that pods serve in, the ConfigMaps that keep them out.

/// The models that are kept -> which to fetch, to point at, to delete.
pub mod revisions;
/// The bytes that a pod gave -> whether they are what it says.
pub mod artifact;
/// The models that pods serve -> ConfigMaps.
pub mod model_sync;
