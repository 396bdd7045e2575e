//! Threat intelligence, in and out.
