//! What an attack looks like over many messages: counters that fade, and the order things come in.
