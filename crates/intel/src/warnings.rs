//! Warning lists: those that are shipped (`data/README.md`), and more of them in the form of MISP.

use std::io::Read;

use chatward_detect::indicator::WarningLists;
use serde::Deserialize;

use crate::fault::{FormFault, Limits};
use crate::json::{Begins, Walk};
use crate::loose::Loose;

/// The longest entry of a list, in bytes.
const LONGEST_ENTRY: usize = 4096;

/// The lists that are shipped.
pub fn shipped() -> WarningLists {
    let mut lists = WarningLists::default();
    let each = |text: &'static str, put: &mut dyn FnMut(&str)| {
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).for_each(put);
    };
    each(include_str!("../data/busy.txt"), &mut |name| lists.busy(name));
    each(include_str!("../data/whole.txt"), &mut |name| lists.whole(name));
    each(include_str!("../data/shared.txt"), &mut |name| lists.shared(name));
    each(include_str!("../data/landlords.txt"), &mut |name| lists.landlord(name));
    each(include_str!("../data/networks.txt"), &mut |text| lists.network(text));
    each(include_str!("../data/files.txt"), &mut |text| lists.file(text));
    lists
}

/// Adds a list in the form of MISP's warning lists. What its entries are is told by its `type`, of which `string`, `hostname`,
/// `substring` and `cidr` are known, and by the entries themselves: a name with a dot in front stands for everything below
/// it. Gives how many entries it has.
///
/// # Errors
/// [`FormFault`] if it is none, or of a type that is not known (`regex`).
pub fn add_list(from: &mut dyn Read, limits: &Limits, lists: &mut WarningLists) -> Result<u64, FormFault> {
    #[derive(Deserialize)]
    struct Sort<'a>(#[serde(borrow)] Loose<'a>);
    let mut walk = Walk::new(from, limits.bytes, limits.depth)?;
    let (mut raw, mut many, mut listed) = (Vec::new(), 0, false);
    if walk.begins()? != Begins::Object {
        return Err(FormFault::Form("a warning list is an object"));
    }
    walk.object(&mut |walk, key| match key {
        "list" => {
            listed = true;
            walk.array(&mut |walk| {
                many += 1;
                if many > limits.entries {
                    return Err(FormFault::Entries(limits.entries));
                }
                if walk.raw(&mut raw, LONGEST_ENTRY)?
                    && let Ok(Loose::Text(entry)) = serde_json::from_slice::<Loose<'_>>(&raw)
                {
                    put(&entry, lists);
                }
                Ok(())
            })
        }
        "type" => {
            let fits = walk.raw(&mut raw, LONGEST_ENTRY)?;
            let known = fits
                && serde_json::from_slice::<Sort<'_>>(&raw).is_ok_and(|sort| {
                    matches!(sort.0.text(), Some("string" | "hostname" | "substring" | "cidr"))
                });
            if known { Ok(()) } else { Err(FormFault::Form("this type of warning list is not known")) }
        }
        _ => walk.skip(),
    })?;
    walk.end()?;
    if listed { Ok(many) } else { Err(FormFault::Form("it has no list")) }
}

fn put(entry: &str, lists: &mut WarningLists) {
    match entry.strip_prefix('.') {
        Some(name) => lists.whole(name),
        None => lists.busy(entry),
    }
    // Only one of them takes it: what is no name is no name to the first two.
    lists.network(entry);
    lists.file(entry);
}

#[cfg(test)]
mod tests {
    use chatward_detect::indicator::{Stopped, Value};

    use super::*;

    fn judged(lists: &WarningLists, text: &str) -> Result<(), Stopped> {
        lists.judge(&Value::guess(text).unwrap())
    }

    #[test]
    fn shipped_lists_protect_what_everybody_uses() {
        let lists = shipped();
        for text in [
            "google.com",
            "www.google.com",
            "accounts.google.com",
            "microsoft.com",
            "login.microsoftonline.com",
            "paypal.com",
            "www.paypal.com",
            "secure.bankofamerica.com",
            "facebook.com",
            "docs.google.com",
            "bit.ly",
            "github.io",
            "vercel.app",
            "duckdns.org",
            "co.uk",
            "000webhostapp.com",
            "https://t.co/",
            "amazon.de",
            "d41d8cd98f00b204e9800998ecf8427e",
        ] {
            assert!(judged(&lists, text).is_err(), "{text}");
        }
        for text in [
            "18plus-group.000webhostapp.com",
            "titansxac.vercel.app",
            "agresip.duckdns.org",
            "paypal.com.evil.example",
            "https://docs.google.com/forms/d/evil",
            "https://bit.ly/evil",
            "198.51.100.0/24",
        ] {
            assert_eq!(judged(&lists, text), Ok(()), "{text}");
        }
    }

    #[test]
    fn lists_of_misp_are_added() {
        let text = r#"{"name":"x","type":"string","version":1,"list":[".bank.example","shop.example","198.51.100.0/24",7]}"#;
        let mut lists = WarningLists::default();
        assert_eq!(add_list(&mut text.as_bytes(), &Limits::default(), &mut lists).unwrap(), 4);
        for text in ["a.b.bank.example", "shop.example", "198.51.100.9"] {
            assert!(judged(&lists, text).is_err(), "{text}");
        }
        for bad in ["[]", "{}", r#"{"type":"regex","list":["."]}"#, r#"{"list":["a""#] {
            assert!(add_list(&mut bad.as_bytes(), &Limits::default(), &mut lists).is_err(), "{bad}");
        }
    }
}
