//! A CSV file of numeric columns in, blocks of rows out: what `train` and `score` read.
