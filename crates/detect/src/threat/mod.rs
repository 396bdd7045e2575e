//! Attacks in a text: its forms, models over them, rules.
