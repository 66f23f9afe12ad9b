//! Parquet files, recognized by their first bytes. Only builds with the feature `parquet` read and write
//! them.

/// The rows of a Parquet file as text.
#[cfg(feature = "parquet")]
pub mod reader;
/// The types of columns.
pub mod column_type;

/// The first four bytes of a Parquet file.
pub const MAGIC: &[u8; 4] = b"PAR1";

/// The error message for Parquet of a build without the feature, and how to get a build with it.
pub const WITHOUT: &str = "this detector is built without Parquet: `cargo build --release --package detector --features parquet` builds one \
                           with it, or convert the file, as by pandas.read_parquet(...).to_csv(...)";
