//! What a customer's message holds: placeholders of the gateway, and the same things in clear where the gateway
//! lets them through. Reading only; what is made of it stands in [`super::skills`].

/// The things one message, or a whole conversation, named. Each is text as the bot would repeat it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) card: Option<Card>,
    pub(super) account: Option<String>,
    /// An address with a street.
    pub(super) address: Option<String>,
    /// A postcode or a town that came without a street.
    pub(super) area: Option<String>,
    pub(super) order: Option<String>,
    /// Placeholders of things no skill needs (a passport, a birth date, …).
    pub(super) other: Vec<String>,
    /// Whether something was taken out of the message on its way.
    pub(super) removed: bool,
}

/// A payment card.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Card {
    /// Its placeholder; nothing when the number came in clear, for the bot does not repeat that.
    pub(super) shown: Option<String>,
    pub(super) last_four: Option<String>,
}

impl Heard {
    /// What this message holds.
    pub(super) fn listen(text: &str) -> Self {
        let mut heard = Self::default();
        let mut street = Vec::new();
        let mut area = Vec::new();
        for mark in marks(text) {
            let whole = mark.whole.to_owned();
            match mark.family() {
                Family::Person => keep_first(&mut heard.name, whole),
                Family::Email => keep_first(&mut heard.email, whole),
                Family::Phone => keep_first(&mut heard.phone, whole),
                Family::Card => {
                    let last_four = mark.ending.map(str::to_owned);
                    heard.card.get_or_insert(Card { shown: Some(whole), last_four });
                }
                Family::Account => keep_first(&mut heard.account, whole),
                Family::Street => street.push(whole),
                Family::Area => area.push(whole),
                Family::Order => keep_first(&mut heard.order, whole),
                Family::Silent => {}
                Family::Other => heard.other.push(whole),
            }
        }
        heard.removed = text.contains("[removed:") || text.contains("[removed]");

        let clear = without_marks(text);
        heard.name = heard.name.or_else(|| name_in(&clear));
        heard.email = heard.email.or_else(|| email_in(&clear));
        heard.order = heard.order.or_else(|| order_in(&clear));
        heard.card = heard.card.or_else(|| card_in(&clear));
        // A long number is no house: it may be a card that came in clear, and that is not repeated.
        let long_number = |phrase: &str| phrase.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() > 8);
        if let Some(phrase) = address_in(text).filter(|phrase| !long_number(phrase)) {
            heard.address = Some(phrase);
        } else if street.is_empty() {
            heard.area = (!area.is_empty()).then(|| area.join(", "));
        } else {
            street.append(&mut area);
            heard.address = Some(street.join(", "));
        }
        heard
    }

    /// Takes in a later message; what it names replaces what was known.
    pub(super) fn then(mut self, later: Self) -> Self {
        let Self { name, email, phone, card, account, address, area, order, other, removed } = later;
        self.name = name.or(self.name);
        self.email = email.or(self.email);
        self.phone = phone.or(self.phone);
        self.card = card.or(self.card);
        self.account = account.or(self.account);
        self.address = address.or(self.address);
        self.area = area.or(self.area);
        self.order = order.or(self.order);
        self.other.extend(other);
        self.removed |= removed;
        self
    }

    /// Whether the message names anything a skill may have asked for.
    pub(super) fn anything(&self) -> bool {
        let Self { name, email, phone, card, account, address, area, order, other: _, removed: _ } = self;
        [name, email, phone, account, address, area, order].iter().any(|part| part.is_some())
            || card.is_some()
    }
}

fn keep_first(place: &mut Option<String>, value: String) {
    place.get_or_insert(value);
}

/// A placeholder in a text: `[EMAIL_2]`, `[CARD_1 ending 1111]`.
struct Mark<'a> {
    whole: &'a str,
    label: &'a str,
    ending: Option<&'a str>,
}

enum Family {
    Person,
    Email,
    Phone,
    Card,
    Account,
    Street,
    Area,
    Order,
    /// Belongs to something else that is answered for (the expiry of a card, the bank of an account).
    Silent,
    Other,
}

impl Mark<'_> {
    /// What kind of thing the label speaks of. Labels are the recognisers' own, so whole words decide.
    fn family(&self) -> Family {
        let is = |words: &[&str]| self.label.split('_').any(|word| words.contains(&word));
        if is(&["EXPIRY", "EXPIRATION", "SORT", "ROUTING", "BIC", "SWIFT"]) {
            Family::Silent
        } else if is(&["ID", "IP", "MAC", "WALLET", "BITCOIN", "ETHEREUM", "CRYPTO", "USER", "USERNAME"]) {
            Family::Other
        } else if is(&["PERSON", "NAME"]) {
            Family::Person
        } else if is(&["EMAIL", "MAIL"]) {
            Family::Email
        } else if is(&["PHONE", "TEL", "TELEPHONE", "MOBILE"]) {
            Family::Phone
        } else if is(&["CARD"]) {
            Family::Card
        } else if is(&["IBAN", "ACCOUNT", "UPI"]) {
            Family::Account
        } else if is(&["ADDRESS", "STREET"]) {
            Family::Street
        } else if is(&["POSTCODE", "ZIP", "POSTAL", "CITY", "LOCATION", "PLACE", "TOWN"]) {
            Family::Area
        } else if is(&["ORDER"]) {
            Family::Order
        } else {
            Family::Other
        }
    }
}

/// The placeholders of a text, in order.
fn marks(text: &str) -> impl Iterator<Item = Mark<'_>> {
    text.match_indices('[').filter_map(|(at, _)| mark_at(text, at))
}

fn mark_at(text: &str, at: usize) -> Option<Mark<'_>> {
    let rest = text.get(at..)?;
    let whole = rest.get(..=rest.find(']')?)?;
    let inner = whole.strip_prefix('[')?.strip_suffix(']')?;
    let (head, ending) = match inner.split_once(' ') {
        Some((head, tail)) => (head, Some(tail.strip_prefix("ending ")?)),
        None => (inner, None),
    };
    let (label, number) = head.rsplit_once('_')?;
    let fits = label.starts_with(|c: char| c.is_ascii_uppercase())
        && label.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit());
    fits.then_some(Mark { whole, label, ending })
}

/// The text with a space for every placeholder and every note of a removal: the customer's own words.
pub(super) fn without_marks(text: &str) -> String {
    let mut own = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices('[') {
        let Some(rest) = text.get(at..) else { continue };
        let length = match (mark_at(text, at), rest.find(']')) {
            (Some(mark), _) => mark.whole.len(),
            (None, Some(end)) if rest.starts_with("[removed") => end + 1,
            _ => continue,
        };
        own.push_str(text.get(from..at).unwrap_or_default());
        own.push(' ');
        from = at + length;
    }
    own.push_str(text.get(from..).unwrap_or_default());
    own
}

/// What follows the first of these phrases, wherever it stands. Phrases are lower case and end with a space.
fn after<'a>(text: &'a str, phrases: &[&str]) -> Option<&'a str> {
    // ASCII lower case keeps every byte in its place.
    let lower = text.to_ascii_lowercase();
    phrases.iter().find_map(|phrase| {
        let at = lower.match_indices(phrase).map(|(at, _)| at).find(|&at| {
            !lower.get(..at).is_some_and(|before| before.ends_with(|c: char| c.is_alphanumeric()))
        })?;
        text.get(at + phrase.len()..)
    })
}

/// A name in clear: two or three capitalised words after "my name is" and its like.
fn name_in(text: &str) -> Option<String> {
    const NO_NAMES: [&str; 10] = ["I", "My", "The", "And", "Your", "Please", "Not", "A", "From", "Mr"];
    let rest = after(text, &["my name is ", "my name's ", "this is ", "i am ", "i'm ", "name: "])?;
    let mut name: Vec<&str> = Vec::new();
    for word in rest.split(' ').take(3) {
        let bare = word.trim_end_matches([',', '.', '!', '?', ';', ':']);
        let fits = bare.starts_with(char::is_uppercase)
            && bare.chars().all(|c| c.is_alphabetic() || c == '-' || c == '\'')
            && !NO_NAMES.contains(&bare);
        if !fits {
            break;
        }
        name.push(bare);
        if bare.len() < word.len() {
            break;
        }
    }
    (!name.is_empty()).then(|| name.join(" "))
}

fn email_in(text: &str) -> Option<String> {
    text.split(|c: char| c.is_whitespace() || ",;<>()\"".contains(c))
        .map(|word| word.trim_end_matches(['.', '!', '?', ':']))
        .find(|word| {
            word.split_once('@').is_some_and(|(user, host)| {
                !user.is_empty()
                    && host.split('.').count() > 1
                    && host.split('.').all(|part| !part.is_empty())
            })
        })
        .map(str::to_owned)
}

/// An order number: what follows "order", or anything written `#12345`.
fn order_in(text: &str) -> Option<String> {
    let number = |word: &str| {
        let bare = word.trim_start_matches(['#', '(']).trim_end_matches(['.', ',', '!', '?', ';', ':', ')']);
        let fits = (3..=20).contains(&bare.len())
            && (3..=12).contains(&bare.bytes().filter(u8::is_ascii_digit).count())
            && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        fits.then(|| bare.to_owned())
    };
    let mut order_said = 0;
    for word in text.split_whitespace() {
        let lower = word.to_ascii_lowercase();
        if lower.starts_with("order") || lower.starts_with("parcel") {
            order_said = 4;
        } else if (word.starts_with('#') || order_said > 0) && number(word).is_some() {
            return number(word);
        } else {
            order_said = i32::max(order_said - 1, 0);
        }
    }
    None
}

/// A card number in clear: 13 to 19 digits, perhaps in groups. Only its end is kept.
fn card_in(text: &str) -> Option<Card> {
    let mut digits = String::new();
    for c in text.chars().chain(['.']) {
        if c.is_ascii_digit() {
            digits.push(c);
        } else if !((c == ' ' || c == '-') && !digits.is_empty()) {
            if (13..=19).contains(&digits.len()) {
                let last_four = digits.get(digits.len() - 4..).map(str::to_owned);
                return Some(Card { shown: None, last_four });
            }
            digits.clear();
        }
    }
    None
}

/// The words after "my new address is" and its like, up to the end of the clause, if they may be an address.
fn address_in(text: &str) -> Option<String> {
    let rest = after(
        text,
        &[
            "address is ",
            "address to ",
            "address: ",
            "moving to ",
            "moved to ",
            "move to ",
            "live at ",
            "living at ",
        ],
    )?;
    let lower = rest.to_ascii_lowercase();
    let end = [". ", "! ", "? ", "; ", "\n", ", my ", " and my ", ", please", " please", ", i ", " from "]
        .iter()
        .filter_map(|stop| lower.find(stop))
        .min()
        .unwrap_or(rest.len());
    let phrase = rest.get(..end)?.trim().trim_end_matches(['.', '!', '?', ',', ';']);
    let held: Vec<Mark<'_>> = marks(phrase).collect();
    let own = without_marks(phrase);
    let street = held.iter().any(|mark| matches!(mark.family(), Family::Street))
        || (own.bytes().any(|b| b.is_ascii_digit()) && own.chars().any(char::is_alphabetic));
    // Anything else in there (an e-mail address, say) is not an address to post to.
    let only_places = held.iter().all(|mark| matches!(mark.family(), Family::Street | Family::Area));
    (street && only_places && phrase.len() <= 200 && !own.contains('@')).then(|| phrase.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_apart_by_their_words() {
        let heard = Heard::listen(
            "[PERSON_1] [EMAIL_2] [PHONE_1] [CARD_1 ending 1111] [IBAN_1 ending 3000] [STREET_ADDRESS_1] [ORDER_1] \
             [IP_ADDRESS_1] [DE_ID_CARD_1] [CARD_EXPIRY_1]",
        );
        assert_eq!(heard.name.as_deref(), Some("[PERSON_1]"));
        assert_eq!(heard.email.as_deref(), Some("[EMAIL_2]"));
        assert_eq!(heard.phone.as_deref(), Some("[PHONE_1]"));
        let card = Card { shown: Some("[CARD_1 ending 1111]".into()), last_four: Some("1111".into()) };
        assert_eq!(heard.card, Some(card));
        assert_eq!(heard.account.as_deref(), Some("[IBAN_1 ending 3000]"));
        assert_eq!(heard.address.as_deref(), Some("[STREET_ADDRESS_1]"));
        assert_eq!(heard.order.as_deref(), Some("[ORDER_1]"));
        assert_eq!(heard.other, ["[IP_ADDRESS_1]", "[DE_ID_CARD_1]"]);
    }

    #[test]
    fn brackets_of_other_kinds_are_text() {
        for text in
            ["[hello]", "[PERSON]", "[person_1]", "[_1]", "[A_]", "[A_1 b]", "[", "[[", "[A_1", "[é_1]"]
        {
            assert_eq!(marks(text).count(), 0, "{text}");
            assert_eq!(without_marks(text), text);
        }
        assert_eq!(without_marks("a [EMAIL_1]b[removed: card code] é"), "a  b  é");
    }

    #[test]
    fn things_in_clear_are_heard_too() {
        let name = |text| Heard::listen(text).name;
        assert_eq!(name("Hi, my name is Anna Berg and I moved").as_deref(), Some("Anna Berg"));
        assert_eq!(name("I'm Zoë, hello").as_deref(), Some("Zoë"));
        assert_eq!(name("I am not happy. This is bad."), None);
        assert_eq!(Heard::listen("write to anna@example.org.").email.as_deref(), Some("anna@example.org"));
        assert_eq!(Heard::listen("a@b and @home at c@.org").email, None);
        let card = Heard::listen("my card is 4111 1111 1111 1111, thanks").card.unwrap();
        assert_eq!((card.shown, card.last_four.as_deref()), (None, Some("1111")));
        assert_eq!(Heard::listen("call 555 1234").card, None);
    }

    #[test]
    fn order_numbers_stand_near_their_word_or_carry_a_hash() {
        let order = |text| Heard::listen(text).order;
        assert_eq!(order("Where is my order 48213?").as_deref(), Some("48213"));
        assert_eq!(order("order number is AB-10023.").as_deref(), Some("AB-10023"));
        assert_eq!(order("it is #7781").as_deref(), Some("7781"));
        assert_eq!(order("my order is late, I paid in 2024 already"), None);
        assert_eq!(order("order [ORDER_3]").as_deref(), Some("[ORDER_3]"));
        assert_eq!(order("I have 48213 reasons"), None);
        assert_eq!(order("order with 4111111111111111"), None);
    }

    #[test]
    fn an_address_ends_with_its_clause() {
        let address = |text| Heard::listen(text).address;
        assert_eq!(
            address("My new address is 12 Elm Road, Leeds, [POSTCODE_1]. Thanks").as_deref(),
            Some("12 Elm Road, Leeds, [POSTCODE_1]")
        );
        assert_eq!(
            address("Please change my address to [ADDRESS_1], my e-mail is [EMAIL_1]").as_deref(),
            Some("[ADDRESS_1]")
        );
        assert_eq!(address("my e-mail address is [EMAIL_1]"), None);
        assert_eq!(address("my email address is anna1@example.org"), None);
        assert_eq!(address("it is [ADDRESS_1] [POSTCODE_1]").as_deref(), Some("[ADDRESS_1], [POSTCODE_1]"));
        assert_eq!(Heard::listen("[POSTCODE_1]").area.as_deref(), Some("[POSTCODE_1]"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_ear(text in r"(\PC|\[|\]|[A-Z_0-9]|my name is |address is |order )*") {
            let heard = Heard::listen(&text);
            proptest::prop_assert_eq!(Heard::default().then(heard.clone()), heard);
            proptest::prop_assert!(without_marks(&text).len() <= text.len());
        }
    }
}
