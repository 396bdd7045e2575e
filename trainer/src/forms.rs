//! Answers as people type them into a chat when a form would have asked: "ana silva and 4421", "oslo 0150", "deliver to 4 mill
//! rd apt 2 dover de 19901". Made up from lists; nothing here was taken from a scored text.

use crate::chance::Chance;
use crate::corpus::Sentence;
use crate::lists::Lists;
use crate::vary::{capital, name};

pub(crate) const PER: usize = 0;
pub(crate) const LOC: usize = 1;
pub(crate) const ORG: usize = 2;
pub(crate) const ADDR: usize = 3;

/// What a field asks for, and how people lead into it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Town,
    Postcode,
    Address,
    Phone,
    Four,
    Number,
    Code,
    Mail,
    Login,
    Way,
}

const OPENERS: &[&str] = &[
    "",
    "",
    "",
    "",
    "",
    "",
    "yes ",
    "ok ",
    "sure ",
    "yes, ",
    "hi ",
    "hello ",
    "yeah ",
    "sure, ",
    "ok thanks ",
    "alright ",
    "hey ",
    "well ",
    "of course ",
    "yep ",
    "no problem ",
    "so ",
    "thanks ",
];
const NAME: &[&str] = &[
    "",
    "",
    "",
    "",
    "name ",
    "my name is ",
    "name is ",
    "my name ",
    "full name ",
    "the name is ",
    "im ",
    "i am ",
    "this is ",
    "it is ",
    "its ",
    "name: ",
    "Name : ",
    "first name ",
    "last name ",
    "my last name is ",
    "my full name is ",
    "account holder ",
    "in the name of ",
    "for ",
    "customer ",
    "passenger ",
    "under ",
    "myself ",
    "name on the card ",
];
const TOWN: &[&str] = &[
    "",
    "",
    "",
    "city ",
    "city is ",
    "my city is ",
    "current city ",
    "i live in ",
    "from ",
    "in ",
    "town ",
    "city: ",
    "new city ",
    "moving to ",
    "i am in ",
    "near ",
    "location ",
    "my current city is ",
    "the city is ",
];
const POSTCODE: &[&str] = &[
    "",
    "",
    "",
    "zip ",
    "zip code ",
    "zip code is ",
    "zipcode ",
    "and zip ",
    "pin code ",
    "postal code ",
    "postcode ",
    "zip is ",
    "zip: ",
    "my zip code is ",
];
const ADDRESS: &[&str] = &[
    "",
    "",
    "",
    "address ",
    "my address is ",
    "address is ",
    "deliver to ",
    "ship to ",
    "delivery address ",
    "my new address is ",
    "send it to ",
    "i live at ",
    "address: ",
    "Address : ",
    "home address is ",
    "to ",
    "the address is ",
    "billing address ",
    "at ",
];
const PHONE: &[&str] =
    &["", "phone ", "phone number ", "contact number ", "my number is ", "mobile ", "call me at ", "phone: "];
const FOUR: &[&str] = &[
    "",
    "ssn ",
    "ssn no ",
    "last 4 ",
    "pin ",
    "last four digits ",
    "card ends in ",
    "ssn is ",
    "password ",
    "last 4 of ssn ",
];
const NUMBER: &[&str] = &[
    "",
    "account number ",
    "card no ",
    "order number ",
    "policy number ",
    "credit card number ",
    "account no ",
    "card number is ",
    "order ",
    "ticket ",
    "claim number ",
    "IBAN ",
    "invoice ",
    "reference ",
];
const CODE: &[&str] = &[
    "",
    "confirmation number ",
    "booking code ",
    "booking id ",
    "confirmation code is ",
    "pnr ",
    "code ",
    "password ",
    "employee id ",
];
const MAIL: &[&str] = &["", "email ", "email id ", "my email is ", "mail "];
const LOGIN: &[&str] =
    &["user name ", "username ", "username: ", "login ", "login: ", "user id ", "my username is ", "user: "];
const WAY: &[(&str, &str)] = &[
    ("from ", " to "),
    ("", " to "),
    ("departure ", " arrival "),
    ("leaving from ", " going to "),
    ("departure city ", " arrival city "),
    ("from ", " and arriving in "),
    ("flying from ", " to "),
    ("depart ", " arrive "),
];
const STREETS: &[&str] = &[
    "street",
    "st",
    "ave",
    "avenue",
    "road",
    "rd",
    "drive",
    "dr",
    "lane",
    "ln",
    "blvd",
    "boulevard",
    "way",
    "court",
    "ct",
    "place",
    "hwy",
    "circle",
    "terrace",
    "main road",
    "cross street",
    "nagar",
    "colony",
    "st",
    "street",
    "st.",
    "ave.",
    "square",
    "parkway",
    "close",
    "crescent",
    "gardens",
    "hill",
    "grove",
    "row",
    "trail",
    "park",
    "loop",
    "salai",
];
const PLAIN: &[&str] = &[
    "main",
    "oak",
    "park",
    "lake",
    "hill",
    "church",
    "high",
    "mill",
    "river",
    "station",
    "maple",
    "pine",
    "washington",
    "north",
    "south",
    "west",
    "east",
    "spring",
    "bridge",
    "school",
    "cedar",
    "king",
    "queen",
    "union",
    "market",
    "center",
    "college",
    "old",
];
const ABROAD: &[&str] = &[
    "rue",
    "rue de",
    "rua",
    "calle",
    "via",
    "ul.",
    "avenida",
    "av.",
    "strada",
    "c/",
    "plaza",
    "platz",
    "largo",
    "praça",
    "viale",
    "chemin de",
    "allee",
    "kade",
    "gatan",
    "vej",
    "utca",
    "tér",
    "camino",
    "paseo",
    "corso",
    "place",
    "impasse",
    "am",
    "weg",
];
const STATES: &[&str] = &[
    "al", "ak", "az", "ar", "ca", "co", "ct", "de", "fl", "ga", "hi", "id", "il", "in", "ia", "ks", "ky",
    "la", "me", "md", "ma", "mi", "mn", "ms", "mo", "mt", "ne", "nv", "nh", "nj", "nm", "ny", "nc", "nd",
    "oh", "ok", "or", "pa", "ri", "sc", "sd", "tn", "tx", "ut", "vt", "va", "wa", "wv", "wi", "wy",
];
const BRANDS: &[(&str, &str)] = &[
    ("do you sell ", "?"),
    ("is the ", " jacket still on sale"),
    ("I bought a pair of ", " shoes last week"),
    ("my ", " watch does not work any more"),
    ("when will ", " be back in stock?"),
    ("the ", " headphones I ordered are missing"),
    ("can I return the ", " bag"),
    ("is ", " available in size m"),
    ("looking for ", "'s new coffee machine"),
    ("do you carry ", "?"),
    ("my ", "'s gift card does not work"),
    ("how much is the ", " shampoo"),
    ("i want to exchange my ", " boots"),
    ("is ", " cheaper this month"),
    ("the ", " cream leaked in the parcel"),
    ("two bottles of ", " please"),
    ("does ", " ship to my area"),
    ("the ", " lipstick was the wrong colour"),
];

/// One made-up message.
pub(crate) fn message(lists: &Lists, chance: &mut Chance) -> Sentence {
    let mut out = Sentence::default();
    if chance.says(0.14) {
        brand(lists, chance, &mut out);
        return out;
    }
    if chance.says(0.16) {
        technical(chance, &mut out);
        return out;
    }
    out.text.push_str(chance.one(OPENERS).map_or("", |s| s));
    let count = 1 + chance.below(3) + usize::from(chance.says(0.2));
    let between = [" ", " ", " and ", " and ", ", ", ", ", "\n", " "];
    let between = chance.one(&between).map_or(" ", |s| s);
    for number in 0..count {
        if number > 0 {
            out.text.push_str(between);
        }
        field(lists, chance, &mut out);
    }
    if chance.says(0.08) {
        out.text.push_str(" please");
    }
    out
}

fn field(lists: &Lists, chance: &mut Chance, out: &mut Sentence) {
    let kinds = [
        Field::Name,
        Field::Name,
        Field::Name,
        Field::Name,
        Field::Town,
        Field::Town,
        Field::Town,
        Field::Postcode,
        Field::Postcode,
        Field::Address,
        Field::Address,
        Field::Address,
        Field::Phone,
        Field::Four,
        Field::Four,
        Field::Number,
        Field::Code,
        Field::Code,
        Field::Mail,
        Field::Login,
        Field::Way,
    ];
    let lead = |chance: &mut Chance, all: &'static [&'static str], out: &mut Sentence| {
        out.text.push_str(chance.one(all).map_or("", |s| s));
    };
    match chance.one(&kinds).copied().unwrap_or(Field::Name) {
        Field::Name => {
            lead(chance, NAME, out);
            let words = 1 + chance.below(2) + usize::from(chance.says(0.08));
            let mut value = name(lists, chance, words);
            if chance.says(0.08) {
                value.push(' ');
                value.push(letter(chance));
            }
            let value = cased(misspelt(value, chance), chance);
            mark(out, &value, PER);
        }
        Field::Town => {
            lead(chance, TOWN, out);
            town(lists, chance, out);
            if chance.says(0.15) {
                out.text.push_str(if chance.says(0.5) { " " } else { ", " });
                state(chance, out);
            }
            if chance.says(0.4) {
                let with = [" ", " ", " and ", ", ", " zip ", " zip code ", " and zip code "];
                out.text.push_str(chance.one(&with).map_or(" ", |s| s));
                let value = postcode(chance);
                mark(out, &value, ADDR);
            }
        }
        Field::Postcode => {
            lead(chance, POSTCODE, out);
            let value = postcode(chance);
            // A number that nothing names is a postcode only beside a place.
            let known = ["zip", "code", "zipcode", "postcode", "is", "zip:"];
            let last = out.text.split_whitespace().next_back().unwrap_or_default();
            if known.contains(&last) || after_place(out) {
                mark(out, &value, ADDR);
            } else {
                out.text.push_str(&value);
            }
        }
        Field::Address => {
            lead(chance, ADDRESS, out);
            address(lists, chance, out);
        }
        Field::Phone => {
            lead(chance, if after_place(out) { &PHONE[1..] } else { PHONE }, out);
            let long = 8 + chance.below(4);
            out.text.push_str(&digits(chance, long));
        }
        Field::Four => {
            lead(chance, if after_place(out) { &FOUR[1..] } else { FOUR }, out);
            out.text.push_str(&digits(chance, 4));
        }
        Field::Number => {
            lead(chance, if after_place(out) { &NUMBER[1..] } else { NUMBER }, out);
            let long = 5 + chance.below(12);
            out.text.push_str(&digits(chance, long));
        }
        Field::Code => {
            lead(chance, CODE, out);
            code(chance, out);
        }
        Field::Mail => {
            lead(chance, MAIL, out);
            let who = name(lists, chance, 1).to_lowercase();
            let house = ["gmail", "yahoo", "hotmail", "outlook"];
            let house = chance.one(&house).map_or("mail", |s| s);
            let mail =
                if chance.says(0.5) { format!("{who}@{house}.com") } else { format!("{who}{house}com") };
            out.text.push_str(&mail);
        }
        Field::Login => {
            lead(chance, LOGIN, out);
            let who = name(lists, chance, 1).to_lowercase();
            out.text.push_str(&who);
            if chance.says(0.6) {
                let number = 1 + chance.below(4);
                out.text.push_str(&digits(chance, number));
            }
        }
        Field::Way => {
            let (from, to) = chance.one(WAY).copied().unwrap_or_default();
            out.text.push_str(from);
            town(lists, chance, out);
            out.text.push_str(to);
            town(lists, chance, out);
        }
    }
}

/// Whether a place stood right before.
fn after_place(out: &Sentence) -> bool {
    let tail = out.spans.last().and_then(|(_, end, kind)| Some((out.text.get(*end..)?, *kind)));
    tail.is_some_and(|(tail, kind)| matches!(kind, LOC | ADDR) && matches!(tail, " " | ", " | " and " | "\n"))
}

pub(crate) fn mark(out: &mut Sentence, value: &str, kind: usize) {
    let start = out.text.len();
    out.text.push_str(value);
    out.spans.push((start, out.text.len(), kind));
}

fn town(lists: &Lists, chance: &mut Chance, out: &mut Sentence) {
    let town = chance.one(&lists.towns).cloned().unwrap_or_default();
    let value = cased(misspelt(town, chance), chance);
    mark(out, &value, LOC);
}

fn state(chance: &mut Chance, out: &mut Sentence) {
    let state = chance.one(STATES).map_or("", |s| s);
    let value = if chance.says(0.5) { state.to_uppercase() } else { state.to_owned() };
    mark(out, &value, LOC);
}

/// A street address: parts where commas part it, one piece where nothing does.
fn address(lists: &Lists, chance: &mut Chance, out: &mut Sentence) {
    let start = out.text.len();
    if chance.says(0.1) {
        out.text.push_str("no ");
    }
    let long = 1 + chance.below(4);
    out.text.push_str(&digits(chance, long));
    if chance.says(0.06) {
        out.text.push(letter(chance));
    }
    let street = match chance.below(5) {
        0 => chance.one(&lists.towns).cloned().unwrap_or_default(),
        1 => format!("{} th", 1 + chance.below(90)),
        2 => chance.one(PLAIN).map_or(String::new(), |s| (*s).to_owned()),
        3 => chance.one(&lists.given).cloned().unwrap_or_default(),
        _ => chance.one(&lists.family).cloned().unwrap_or_default(),
    };
    let kind = chance.one(STREETS).map_or("", |s| s);
    let abroad = chance.one(ABROAD).map_or("", |s| s);
    let number = 1 + chance.below(3);
    let street = match chance.below(12) {
        0 => format!(" {street}"),
        1 => format!(" {street} {}", digits(chance, number)),
        2 => format!(" {abroad} {street} {}", digits(chance, number)),
        _ => format!(" {street} {kind}"),
    };
    let street = cased(misspelt(street, chance), chance);
    out.text.push_str(&street);
    if chance.says(0.25) {
        let units = [
            " apt ",
            " unit ",
            " #",
            " floor ",
            " suite ",
            ", apt ",
            " Apt. ",
            "\n Apt. ",
            "\nApt. ",
            "\n Suite ",
            "\nSuite ",
            "\n    Suite ",
            "\nUnit ",
            "\n   Apt. ",
            "\napt ",
        ];
        out.text.push_str(chance.one(&units).map_or("", |s| s));
        out.text.push_str(&digits(chance, number));
    }
    let street_end = out.text.len();
    let apart = [", ", ", ", ", ", " ", " ", " ", " ", "\n", "\n ", "\n    "];
    let apart = chance.one(&apart).map_or(" ", |s| s);
    let commas = apart != " ";
    let parts = out.spans.len();
    let tail = chance.below(6);
    let gap = |out: &mut Sentence| out.text.push_str(apart);
    if matches!(tail, 1..=4) {
        gap(out);
        town(lists, chance, out);
    }
    if matches!(tail, 2 | 3 | 5) {
        gap(out);
        state(chance, out);
    }
    if matches!(tail, 3..=5) {
        out.text.push(' ');
        let value = postcode(chance);
        mark(out, &value, ADDR);
    }
    if commas {
        out.spans.insert(parts, (start, street_end, ADDR));
    } else {
        out.spans.truncate(parts);
        out.spans.push((start, out.text.len(), ADDR));
    }
}

fn brand(lists: &Lists, chance: &mut Chance, out: &mut Sentence) {
    let (before, after) = chance.one(BRANDS).copied().unwrap_or_default();
    let brand = chance.one(&lists.brands).cloned().unwrap_or_default();
    // Many brands are named like people.
    let brand = match chance.below(4) {
        0 => capital(&name(lists, chance, 2)),
        1 => name(lists, chance, 1),
        _ => brand,
    };
    out.text.push_str(before);
    mark(out, &brand, ORG);
    out.text.push_str(after);
}

const THINGS: &[&str] = &[
    "order",
    "invoice",
    "item",
    "model",
    "serial number",
    "voucher",
    "coupon",
    "flight",
    "train",
    "version",
    "firmware",
    "app",
    "screen",
    "battery",
    "box",
    "parcel",
    "table",
    "part",
    "sensor",
    "channel",
    "route",
    "ticket",
    "tariff",
    "contract",
    "meter",
    "bill",
    "payment",
    "refund",
    "delivery",
    "size",
    "colour",
    "shade",
    "router",
    "modem",
    "printer",
    "code",
    "policy",
    "plan",
    "booking",
    "seat",
    "gate",
    "room",
    "locker",
    "error",
    "the receipt",
    "my device",
    "windows",
    "ios",
    "iphone",
    "galaxy",
    "macos",
    "linux",
    "chrome",
    "firefox",
    "playstation",
    "office",
    "series",
    "edition",
    "release",
    "level",
    "about",
    "at least",
    "up to",
    "maximum",
    "minimum",
    "around",
    "only",
    "between",
    "since",
    "until",
    "due",
    "from",
    "for",
    "on",
    "with",
    "by",
    "total",
];
const UNITS: &[&str] = &[
    "kg", "g", "cm", "mm", "m", "km", "kHz", "GHz", "Hz", "kWh", "W", "V", "mA", "GB", "MB", "TB", "ml", "l",
    "oz", "lbs", "inch", "EUR", "USD", "GBP", "CHF", "CAD", "AUD", "JPY", "PLN", "euros", "dollars", "days",
    "hours", "weeks", "months", "minutes", "degrees", "percent", "%", "pieces", "pcs", "points", "stars",
    "people", "guests", "nights", "miles", "items",
];
const TAILS: &[&str] = &[
    "",
    "",
    "",
    " is wrong",
    " arrived",
    " please",
    " does not work",
    " was charged twice",
    " left",
    " when i write",
    " is missing",
    " and nothing happens",
    " at the latest",
    " instead",
    " for the return",
    "?",
    " again",
    " per person",
    " is fine",
];

/// Numbers, codes, dates and measures of things: none of them names anybody.
fn technical(chance: &mut Chance, out: &mut Sentence) {
    for number in 0..=chance.below(3) {
        if number > 0 {
            out.text.push_str(if chance.says(0.5) { ", " } else { " " });
        }
        let thing = chance.one(THINGS).map_or("", |s| s);
        out.text.push_str(&if chance.says(0.15) { capital(thing) } else { thing.to_owned() });
        out.text.push(' ');
        measure(chance, out);
    }
    out.text.push_str(chance.one(TAILS).map_or("", |s| s));
}

fn measure(chance: &mut Chance, out: &mut Sentence) {
    let (one, two) = (1 + chance.below(28), 1 + chance.below(12));
    let year = 2015 + chance.below(15);
    let whole = chance.below(900);
    let unit = chance.one(UNITS).map_or("", |s| s);
    let value = match chance.below(15) {
        0 => format!("{year}-{two:02}-{one:02}"),
        1 => format!("{one:02}.{two:02}.{year}"),
        2 => format!("{two}/{one}/{year}"),
        3 => format!("{whole}.{one} {unit}"),
        4 => format!("{whole} {unit}"),
        5 => format!("{one}.{two}.{}", chance.below(40)),
        6 => format!("{one} x {two} x {} {unit}", 1 + chance.below(80)),
        7 => {
            let hex: String = (0..6 + chance.below(30))
                .map(|_| {
                    char::from_digit(u32::try_from(chance.below(16)).unwrap_or_default(), 16).unwrap_or('0')
                })
                .collect();
            if chance.says(0.5) { format!("#{hex}") } else { hex }
        }
        8 | 9 => {
            // Codes in capitals.
            let mut code = String::new();
            for part in 0..=chance.below(3) {
                if part > 0 {
                    code.push('-');
                }
                for _ in 0..2 + chance.below(5) {
                    code.push(if chance.says(0.6) {
                        upper(chance)
                    } else {
                        digits(chance, 1).pop().unwrap_or('0')
                    });
                }
            }
            code
        }
        10 => format!("{}{}", upper(chance), digits(chance, 4)),
        11 => format!("{one} to {} {unit}", one + two),
        12 | 13 => format!("{one}"),
        _ => {
            let long = 1 + chance.below(9);
            digits(chance, long)
        }
    };
    out.text.push_str(&value);
}

fn postcode(chance: &mut Chance) -> String {
    match chance.below(16) {
        0 => digits(chance, 4),
        1 | 2 => format!(
            "{}{} {}{}{}",
            upper(chance),
            digits(chance, 1),
            digits(chance, 1),
            upper(chance),
            upper(chance)
        ),
        3..=6 => digits(chance, 6),
        7 => {
            let long = 7 + chance.below(2);
            digits(chance, long)
        }
        8 => format!("{}-{}", digits(chance, 5), digits(chance, 4)),
        _ => digits(chance, 5),
    }
}

/// A code as it comes out of a speech or chat program: letters and numbers apart.
fn code(chance: &mut Chance, out: &mut Sentence) {
    let apart = chance.says(0.6);
    for number in 0..2 + chance.below(3) {
        if number > 0 && apart {
            out.text.push(' ');
        }
        if chance.says(0.5) {
            for _ in 0..=chance.below(3) {
                out.text.push(letter(chance));
            }
        } else {
            let long = 1 + chance.below(3);
            out.text.push_str(&digits(chance, long));
        }
    }
}

pub(crate) fn digits(chance: &mut Chance, count: usize) -> String {
    (0..count).map(|_| char::from(b'0' + u8::try_from(chance.below(10)).unwrap_or_default())).collect()
}

pub(crate) fn letter(chance: &mut Chance) -> char {
    char::from(b'a' + u8::try_from(chance.below(26)).unwrap_or_default())
}

fn upper(chance: &mut Chance) -> char {
    letter(chance).to_ascii_uppercase()
}

fn cased(value: String, chance: &mut Chance) -> String {
    match chance.below(20) {
        0..12 => value.to_lowercase(),
        12 => value.to_uppercase(),
        _ => value,
    }
}

/// One word in six as nobody wrote it before.
fn misspelt(value: String, chance: &mut Chance) -> String {
    if !chance.says(0.17) {
        return value;
    }
    let mut letters: Vec<char> = value.chars().collect();
    for _ in 0..=chance.below(3) {
        let at = chance.below(letters.len().max(1));
        if !letters.get(at).is_some_and(|c| c.is_ascii_alphabetic()) {
            continue;
        }
        match chance.below(3) {
            0 => letters.insert(at, letter(chance)),
            1 if letters.len() > 4 => drop(letters.remove(at)),
            _ => {
                if let Some(slot) = letters.get_mut(at) {
                    *slot = letter(chance);
                }
            }
        }
    }
    letters.into_iter().collect()
}
