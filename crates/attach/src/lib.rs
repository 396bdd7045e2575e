//! What is inside a file somebody sends.
