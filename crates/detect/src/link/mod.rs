//! Addresses in a text: found however they are written, judged without ever being opened.
