//! The grammar of STIX patterns, by recursive descent.
//!
//! From weak to strong: `FOLLOWEDBY`, `OR`, `AND` between observations; qualifiers; `OR`, `AND` between comparisons.

use super::{Comparison, DEPTH, Inner, LONGEST, NODES, Operator, Outer, Parsed, PatternFault, Property};
use crate::loose::time;

/// Reads a pattern.
///
/// # Errors
/// See [`PatternFault`].
pub fn parse(text: &str) -> Result<Parsed, PatternFault> {
    if text.len() > LONGEST {
        return Err(PatternFault::Long);
    }
    let mut parser = Parser { text, at: 0, nodes: 0, depth: 0 };
    let tree = parser.followed()?;
    parser.blank();
    if parser.at < text.len() { Err(parser.wrong()) } else { Ok(Parsed { tree }) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    nodes: usize,
    depth: usize,
}

type Read<T> = Result<T, PatternFault>;

impl<'a> Parser<'a> {
    fn wrong(&self) -> PatternFault {
        PatternFault::Syntax(self.at)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn node(&mut self) -> Read<()> {
        self.nodes += 1;
        if self.nodes > NODES { Err(PatternFault::Long) } else { Ok(()) }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(PatternFault::Deep);
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Takes this sign, if it is next.
    fn sign(&mut self, sign: &str) -> bool {
        self.blank();
        let is = self.rest().starts_with(sign);
        if is {
            self.at += sign.len();
        }
        is
    }

    fn must(&mut self, sign: &str) -> Read<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.wrong()) }
    }

    /// Takes this word, if it is next and ends there.
    fn word(&mut self, word: &str) -> bool {
        self.blank();
        let rest = self.rest();
        let after = rest.strip_prefix(word);
        let ends =
            after.is_some_and(|a| !a.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_".contains(c)));
        if ends {
            self.at += word.len();
        }
        ends
    }

    fn followed(&mut self) -> Read<Outer> {
        let mut left = self.outer_or()?;
        while self.word("FOLLOWEDBY") {
            self.node()?;
            left = Outer::Then(left.into(), self.outer_or()?.into());
        }
        Ok(left)
    }

    fn outer_or(&mut self) -> Read<Outer> {
        let mut left = self.outer_and()?;
        while self.word("OR") {
            self.node()?;
            left = Outer::Or(left.into(), self.outer_and()?.into());
        }
        Ok(left)
    }

    fn outer_and(&mut self) -> Read<Outer> {
        let mut left = self.observation()?;
        while self.word("AND") {
            self.node()?;
            left = Outer::And(left.into(), self.observation()?.into());
        }
        Ok(left)
    }

    fn observation(&mut self) -> Read<Outer> {
        let mut tree = if self.sign("[") {
            let inner = self.deeper(Self::inner_or)?;
            self.must("]")?;
            Outer::One(inner)
        } else {
            self.must("(")?;
            let outer = self.deeper(Self::followed)?;
            self.must(")")?;
            outer
        };
        loop {
            if self.word("WITHIN") {
                let seconds = self.number()?;
                self.unit("SECONDS")?;
                tree = Outer::Within(tree.into(), seconds);
            } else if self.word("REPEATS") {
                let times = u32::try_from(self.number()?).map_err(|_| self.wrong())?;
                self.unit("TIMES")?;
                if times == 0 {
                    return Err(self.wrong());
                }
                tree = Outer::Repeats(tree.into(), times);
            } else if self.word("START") {
                let start = self.time()?;
                if !self.word("STOP") {
                    return Err(self.wrong());
                }
                tree = Outer::Between(tree.into(), start, self.time()?);
            } else {
                return Ok(tree);
            }
            self.node()?;
        }
    }

    fn unit(&mut self, word: &str) -> Read<()> {
        if self.word(word) { Ok(()) } else { Err(self.wrong()) }
    }

    /// A number of seconds or times; fractions of seconds are rounded up.
    fn number(&mut self) -> Read<u64> {
        self.blank();
        let rest = self.rest();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let whole: u64 = rest.get(..digits).and_then(|d| d.parse().ok()).ok_or_else(|| self.wrong())?;
        self.at += digits;
        let Some(fraction) = self.rest().strip_prefix('.') else { return Ok(whole) };
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let any = fraction.bytes().take(digits).any(|b| b != b'0');
        self.at += 1 + digits;
        Ok(whole.saturating_add(u64::from(any)))
    }

    /// `t'2026-09-01T00:00:00Z'`; STIX 2.0 has no `t`.
    fn time(&mut self) -> Read<chatward_message::UnixMillis> {
        self.blank();
        self.sign("t");
        let text = self.string()?;
        time(&text).ok_or_else(|| self.wrong())
    }

    fn inner_or(&mut self) -> Read<Inner> {
        let mut left = self.inner_and()?;
        while self.word("OR") {
            self.node()?;
            left = Inner::Or(left.into(), self.inner_and()?.into());
        }
        Ok(left)
    }

    fn inner_and(&mut self) -> Read<Inner> {
        let mut left = self.comparison()?;
        while self.word("AND") {
            self.node()?;
            left = Inner::And(left.into(), self.comparison()?.into());
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Read<Inner> {
        self.node()?;
        if self.sign("(") {
            let inner = self.deeper(Self::inner_or)?;
            self.must(")")?;
            return Ok(inner);
        }
        if self.word("EXISTS") {
            let property = self.path()?;
            let operator = Operator::Exists;
            return Ok(Inner::One(Comparison { property, not: false, operator, constants: Vec::new() }));
        }
        let property = self.path()?;
        let not = self.word("NOT");
        let operator = self.operator()?;
        let mut constants = Vec::new();
        if operator == Operator::In {
            self.must("(")?;
            loop {
                self.node()?;
                constants.push(self.constant()?);
                if !self.sign(",") {
                    break;
                }
            }
            self.must(")")?;
        } else {
            constants.push(self.constant()?);
        }
        Ok(Inner::One(Comparison { property, not, operator, constants }))
    }

    fn operator(&mut self) -> Read<Operator> {
        let signs = [
            ("!=", Operator::NotEqual),
            ("<>", Operator::NotEqual),
            (">=", Operator::GreaterOrEqual),
            ("<=", Operator::LessOrEqual),
            ("==", Operator::Equal),
            ("=", Operator::Equal),
            (">", Operator::Greater),
            ("<", Operator::Less),
        ];
        let words = [
            ("IN", Operator::In),
            ("LIKE", Operator::Like),
            ("MATCHES", Operator::Matches),
            ("ISSUBSET", Operator::Subset),
            ("ISSUPERSET", Operator::Superset),
        ];
        if let Some((_, operator)) = signs.into_iter().find(|(sign, _)| self.sign(sign)) {
            return Ok(operator);
        }
        let found = words.into_iter().find(|(word, _)| self.word(word));
        found.map(|(_, operator)| operator).ok_or_else(|| self.wrong())
    }

    /// `file:hashes.'SHA-256'`, `network-traffic:dst_ref.value`, `x:list[*].'odd name'`.
    fn path(&mut self) -> Read<Option<Property>> {
        self.blank();
        let sort = self.name(true)?;
        if !self.rest().starts_with(':') {
            return Err(self.wrong());
        }
        self.at += 1;
        let mut parts: Vec<String> = vec![self.part()?];
        loop {
            if self.rest().starts_with('.') {
                self.at += 1;
                parts.push(self.part()?);
            } else if self.rest().starts_with('[') {
                let end = self.rest().find(']').ok_or_else(|| self.wrong())?;
                let index = self.rest().get(1..end).unwrap_or_default();
                if index != "*" && (index.is_empty() || !index.bytes().all(|b| b.is_ascii_digit())) {
                    return Err(self.wrong());
                }
                self.at += end + 1;
            } else {
                break;
            }
            self.node()?;
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Ok(property(sort, &parts))
    }

    fn name(&mut self, dashes: bool) -> Read<&'a str> {
        let rest = self.rest();
        let part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || dashes && *b == b'-';
        let many = rest.bytes().take_while(part).count();
        if many == 0 {
            return Err(self.wrong());
        }
        self.at += many;
        Ok(rest.get(..many).unwrap_or_default())
    }

    fn part(&mut self) -> Read<String> {
        if self.rest().starts_with('\'') { self.string() } else { self.name(false).map(str::to_owned) }
    }

    fn constant(&mut self) -> Read<String> {
        self.blank();
        let rest = self.rest();
        if rest.starts_with('\'') {
            return self.string();
        }
        // A time, bytes in hexadecimal, bytes in base64: compared as they are written.
        if let Some(after) = ["t'", "h'", "b'"].iter().find_map(|sign| rest.strip_prefix(sign)) {
            self.at += rest.len() - after.len() - 1;
            return self.string();
        }
        let part = |b: &u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
        let many = rest.bytes().take_while(part).count();
        let word = rest.get(..many).unwrap_or_default();
        if !(matches!(word, "true" | "false") || word.parse::<f64>().is_ok_and(f64::is_finite)) {
            return Err(self.wrong());
        }
        self.at += many;
        Ok(word.to_owned())
    }

    /// Between quotes; a backslash stands before a quote or a backslash.
    fn string(&mut self) -> Read<String> {
        self.blank();
        let mut chars = self.rest().char_indices();
        if chars.next().is_none_or(|(_, c)| c != '\'') {
            return Err(self.wrong());
        }
        let mut text = String::new();
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' => {
                    self.at += at + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('\'' | '\\'))) => text.push(escaped),
                    _ => return Err(self.wrong()),
                },
                other => text.push(other),
            }
        }
        Err(self.wrong())
    }
}

/// The property that a path leads to, if it is seen in a chat.
fn property(sort: &str, parts: &[&str]) -> Option<Property> {
    Some(match (sort, parts) {
        ("domain-name", ["value"]) => Property::Domain,
        ("url", ["value"]) => Property::Url,
        ("ipv4-addr", ["value"])
        | ("network-traffic", ["dst_ref" | "src_ref", "value"])
        | ("domain-name", ["resolves_to_refs", "value"]) => Property::Ipv4,
        ("ipv6-addr", ["value"]) => Property::Ipv6,
        ("email-addr", ["value"]) | ("email-message", ["from_ref" | "sender_ref", "value"]) => {
            Property::Email
        }
        ("file" | "artifact", ["hashes", hash]) => {
            match hash.to_ascii_uppercase().replace('-', "").as_str() {
                "MD5" => Property::Md5,
                "SHA1" => Property::Sha1,
                "SHA256" => Property::Sha256,
                _ => return None,
            }
        }
        ("file", ["name"]) => Property::FileName,
        _ => return None,
    })
}
