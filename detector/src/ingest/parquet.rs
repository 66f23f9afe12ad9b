//! Parquet files, known by their first bytes. What reads and writes them is in builds with the feature `parquet` alone.

/// Its rows as text.
#[cfg(feature = "parquet")]
pub mod reader;
/// What its columns hold.
pub mod column_type;

/// The first four bytes of a Parquet file.
pub const MAGIC: &[u8; 4] = b"PAR1";

/// What a build without the feature says of a Parquet file, and how to get one with it.
pub const WITHOUT: &str = "this detector is built without Parquet: `cargo build --release --package detector --features parquet` builds one \
                           with it, or convert the file, as by pandas.read_parquet(...).to_csv(...)";
