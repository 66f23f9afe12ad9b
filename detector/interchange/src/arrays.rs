//! The objects of a file in, the numpy arrays among them out.

pub(crate) mod pickled;
pub(crate) mod joblib;
