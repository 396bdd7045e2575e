//! Where a name divides: what a registry gives out names under (`co.uk`), and what somebody registered there
//! (`example.co.uk`), by the [public suffix list](https://publicsuffix.org/list/).
//!
//! A crate of its own because of how the list is made: some ten thousand functions that are compiled where they are first asked
//! for. In the room that asks, they took half of its compile time, each time anything else in it changed
//! (`docs/decisions/0035-what-is-compiled-apart.md`).

/// How a name divides. Places are bytes of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Division {
    /// Where the suffix begins.
    pub suffix: usize,
    /// Where begins what somebody registered: the suffix and one label before it. Nothing if the name is a suffix itself.
    pub registered: Option<usize>,
    /// What the suffix is.
    pub kind: Kind,
}

/// What a suffix is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of a registry: `com`, `co.uk`.
    Registry,
    /// Of somebody who lets others have names under their own: `github.io`.
    Private,
    /// On no list; the last label counts, as the list says.
    Unlisted,
}

/// Divides a name in lower case, in ASCII or not, without a last dot. Nothing for an empty one.
#[must_use]
#[inline(never)]
pub fn divide(name: &str) -> Option<Division> {
    let suffix = psl::suffix(name.as_bytes())?;
    let start = name.len().checked_sub(suffix.as_bytes().len())?;
    // A label of at least one byte and the dot after it.
    let before = start.checked_sub(1).filter(|dot| *dot > 0).and_then(|dot| name.get(..dot));
    Some(Division {
        suffix: start,
        registered: before.map(|before| before.rfind('.').map_or(0, |dot| dot + 1)),
        kind: match suffix.typ() {
            Some(psl::Type::Icann) => Kind::Registry,
            Some(psl::Type::Private) => Kind::Private,
            None => Kind::Unlisted,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_divide_as_the_list_says() {
        for (name, divided) in [
            ("com", Some((0, None, Kind::Registry))),
            ("example.com", Some((8, Some(0), Kind::Registry))),
            ("a.b.example.co.uk", Some((12, Some(4), Kind::Registry))),
            ("anna.github.io", Some((5, Some(0), Kind::Private))),
            ("github.io", Some((0, None, Kind::Private))),
            ("mail.internal", Some((5, Some(0), Kind::Unlisted))),
            ("www.city.kawasaki.jp", Some((9, Some(4), Kind::Registry))),
            (".com", Some((1, None, Kind::Registry))),
            ("", None),
        ] {
            let found = divide(name).map(|d| (d.suffix, d.registered, d.kind));
            assert_eq!(found, divided, "{name}");
        }
    }

    /// The library's own second look-up says the same.
    #[test]
    fn what_is_registered_is_what_the_library_says() {
        for name in [
            "example.com",
            "a.example.com",
            "x.y.github.io",
            "co.uk",
            "b.c.kobe.jp",
            "city.kobe.jp",
            "..com",
            "a..com",
        ] {
            let theirs = psl::domain(name.as_bytes()).map(|domain| name.len() - domain.as_bytes().len());
            assert_eq!(divide(name).and_then(|d| d.registered), theirs, "{name}");
        }
    }
}
