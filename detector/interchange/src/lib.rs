//! Other systems' isolation forests, read and written as data.
