//! A small HTTP/1.1 client for loopback: one connection a request, plain and chunked bodies.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) fn get(port: u16, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    send(port, "GET", path, headers, b"")
}

pub(crate) fn post(port: u16, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
    send(port, "POST", path, headers, body)
}

fn send(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
    let mut socket =
        TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("nobody at port {port}"))?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n")?;
    }
    write!(head, "content-length: {}\r\n\r\n", body.len())?;
    socket.write_all(&[head.as_bytes(), body].concat())?;
    let mut all = Vec::new();
    socket.read_to_end(&mut all)?;
    parse(&all)
}

fn parse(all: &[u8]) -> Result<Answer> {
    let end = all
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .context("an answer without an end of its head")?;
    let head = String::from_utf8_lossy(all.get(..end).unwrap_or_default()).into_owned();
    let body = all.get(end + 4..).unwrap_or_default();
    let status =
        head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("an answer without a status")?;
    let mut answer = Answer { status, head, body: Vec::new() };
    let chunked =
        answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    answer.body = if chunked { unchunk(body)? } else { body.to_vec() };
    Ok(answer)
}

fn unchunk(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").context("a chunk without a size")?;
        let size = std::str::from_utf8(rest.get(..end).unwrap_or_default())?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
        rest = rest.get(end + 2..).unwrap_or_default();
        if size == 0 {
            return Ok(body);
        }
        let Some(chunk) = rest.get(..size) else { bail!("a chunk that is cut") };
        body.extend_from_slice(chunk);
        rest = rest.get(size + 2..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_and_a_cut_is_seen() {
        let whole =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        let answer = parse(whole).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "abcde"));
        assert!(parse(&whole[..whole.len() - 9]).is_err());
    }
}
