//! The seal file.
