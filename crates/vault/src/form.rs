//! The written form of placeholders.
