//! What the support bot can do, as rules over the whole conversation. Text in, text out: no clock, no chance, so the
//! same conversation always gets the same answer.

use super::heard::{Card, Heard, without_marks};

/// One message of the conversation.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) by_customer: bool,
    pub(super) text: String,
}

/// Where the FNV-1a hash starts.
pub(super) const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a (64 bit): spreads booking numbers, protects nothing.
pub(super) fn fnv(start: u64, text: &str) -> u64 {
    text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The answer to the last message of the customer; nothing if the customer never spoke.
pub(super) fn reply(lines: &[Line]) -> Option<String> {
    let asked_at = lines.iter().rposition(|line| line.by_customer)?;
    let (before, rest) = lines.split_at(asked_at);
    let asked = &rest.first()?.text;
    let now = Heard::listen(asked);
    let known = before
        .iter()
        .filter(|line| line.by_customer)
        .fold(Heard::default(), |known, line| known.then(Heard::listen(&line.text)));
    let said_last = before.last().filter(|line| !line.by_customer).map_or("", |line| &line.text);
    let topic = match (Topic::of(asked), carried_on(before, &known, &now)) {
        // "My order is 48213" answers what the refund skill asked; it is no new question.
        (None | Some(Topic::Order | Topic::Contact | Topic::Payment), Some(open)) => Some(open),
        (topic, _) => topic,
    };
    let moment = Moment { all: known.clone().then(now.clone()), known, now, asked, said_last };
    Some(moment.answer(topic))
}

/// The subject for which the bot still needs something, if this message may bring it.
fn carried_on(before: &[Line], known: &Heard, now: &Heard) -> Option<Topic> {
    let mut topics =
        before.iter().rev().filter(|line| line.by_customer).filter_map(|line| Topic::of(&line.text));
    topics.next().filter(|topic| now.anything() && topic.lacks(known))
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    Human,
    Refund,
    Address,
    Password,
    Order,
    Hours,
    Payment,
    Contact,
    Yes,
    No,
    Thanks,
    Bye,
    Help,
    Hello,
}

impl Topic {
    /// The first of these whose words the customer used.
    fn of(text: &str) -> Option<Self> {
        const WORDS: [(Topic, &[&str]); 12] = [
            (
                Topic::Human,
                &["human", "real person", "a person", "agent", "colleague", "somebody", "someone"],
            ),
            (Topic::Refund, &["refund", "refunded", "money back", "return", "send it back", "reimburse"]),
            (
                Topic::Address,
                &[
                    "change of address",
                    "change my address",
                    "update my address",
                    "new address",
                    "my address",
                    "moved",
                    "moving",
                    "i move",
                    "delivery address",
                    "shipping address",
                ],
            ),
            (Topic::Password, &["password", "passcode", "sign in", "log in", "login", "locked out"]),
            (
                Topic::Order,
                &[
                    "order",
                    "parcel",
                    "package",
                    "delivery",
                    "delivered",
                    "shipment",
                    "tracking",
                    "arrive",
                    "arrived",
                ],
            ),
            (
                Topic::Hours,
                &["opening hours", "hours", "open", "opened", "closed", "what time", "when are you"],
            ),
            (
                Topic::Payment,
                &["card", "pay", "payment", "paid", "charge", "charged", "bank", "iban", "account"],
            ),
            (Topic::Contact, &["e mail", "email", "mail", "phone", "call me", "write to me", "reach me"]),
            (Topic::Thanks, &["thanks", "thank you", "thx", "cheers"]),
            (Topic::Bye, &["bye", "goodbye", "good night", "see you"]),
            (Topic::Help, &["help", "what can you do", "who are you", "are you a bot", "options"]),
            (Topic::Hello, &["hello", "hi", "hey", "good morning", "good afternoon", "good evening"]),
        ];
        let own = plain_words(text);
        let says = |word: &str| own.contains(&format!(" {word} "));
        // An e-mail address is no postal address.
        let about_mail = says("e mail address") || says("email address");
        if let Some((topic, _)) = WORDS
            .iter()
            .filter(|(topic, _)| !(about_mail && *topic == Self::Address))
            .find(|(_, words)| words.iter().any(|word| says(word)))
        {
            return Some(*topic);
        }
        match own.split_whitespace().next() {
            Some("yes" | "yeah" | "yep" | "correct" | "right" | "exactly" | "sure" | "ok") => Some(Self::Yes),
            Some("no" | "nope" | "wrong" | "not") => Some(Self::No),
            _ => None,
        }
    }

    /// Whether the skill could not act yet on what was known.
    const fn lacks(self, known: &Heard) -> bool {
        match self {
            Self::Order | Self::Refund => known.order.is_none(),
            Self::Address => known.address.is_none(),
            Self::Human | Self::Contact => known.email.is_none() && known.phone.is_none(),
            Self::Payment => known.card.is_none() && known.account.is_none(),
            _ => false,
        }
    }
}

/// The customer's own words in lower case, one space around each.
fn plain_words(text: &str) -> String {
    let mut plain = String::from(" ");
    for word in without_marks(text).split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        plain.push_str(&word.to_lowercase());
        plain.push(' ');
    }
    plain
}

/// The conversation at the moment of answering.
struct Moment<'a> {
    /// From the earlier messages.
    known: Heard,
    /// From this message.
    now: Heard,
    /// From all messages, later ones first.
    all: Heard,
    asked: &'a str,
    said_last: &'a str,
}

impl Moment<'_> {
    fn answer(&self, topic: Option<Topic>) -> String {
        let mut said: Vec<String> = Vec::new();
        said.extend(self.greeting(topic));
        if self.now.removed {
            said.push(
                "You never need to tell me a password, a PIN or the code of a card: it was taken out of your \
                 message before I could see it, and I can help you without it."
                    .to_owned(),
            );
        }
        let body = topic.and_then(|topic| self.skill(topic));
        let acted = body.is_some();
        said.extend(body);
        let rest = self.acknowledge(&said.join(" "));
        let acknowledged = !rest.is_empty();
        said.extend(rest);
        if !acted && !acknowledged {
            said.push(match (said.is_empty(), topic) {
                (true, _) => self.fallback(),
                (false, _) => "How can I help you today?".to_owned(),
            });
        } else if !acted && !said.iter().any(|sentence| sentence.ends_with('?')) {
            said.push("What may I do for you?".to_owned());
        }
        said.join(" ")
    }

    /// By name as soon as one is heard, and once only.
    fn greeting(&self, topic: Option<Topic>) -> Option<String> {
        match &self.now.name {
            Some(name) if self.known.name.as_ref() != Some(name) => {
                Some(format!("Hello {name}, nice to meet you."))
            }
            _ if topic == Some(Topic::Hello) => Some(match &self.all.name {
                Some(name) => format!("Hello again, {name}."),
                None => "Hello! I am the support assistant, a bot.".to_owned(),
            }),
            _ => None,
        }
    }

    fn skill(&self, topic: Topic) -> Option<String> {
        match topic {
            Topic::Address => Some(self.change_address()),
            Topic::Order => Some(self.order_status()),
            Topic::Refund => Some(self.refund()),
            Topic::Payment => self.payment(),
            Topic::Contact => self.contact(),
            Topic::Human => Some(self.hand_over()),
            Topic::Yes => self.confirmed(),
            Topic::No => self.denied(),
            Topic::Hours => Some(
                "We are here Monday to Friday from 8 am to 8 pm, and on Saturday from 9 am to 4 pm. I answer at \
                 any time."
                    .to_owned(),
            ),
            Topic::Password => Some(
                "I cannot see or change passwords, and I will never ask you for one. Choose “Forgot your \
                 password” on the sign-in page: you get a link by email that works for one hour."
                    .to_owned(),
            ),
            Topic::Thanks => Some(match &self.all.name {
                Some(name) => format!("You are welcome, {name}. Is there anything else I can do?"),
                None => "You are welcome. Is there anything else I can do?".to_owned(),
            }),
            Topic::Bye => Some("Goodbye, and thank you for writing. I am here whenever you need me.".to_owned()),
            Topic::Help => Some(format!("I am a bot. {CAN_DO} What shall we start with?")),
            Topic::Hello => None,
        }
    }

    fn change_address(&self) -> String {
        let asked_for_now = self.now.address.as_ref().or(self.all.address.as_ref());
        match (asked_for_now, &self.all.area) {
            (Some(address), area) => {
                let area = area.as_ref().filter(|area| !address.contains(*area));
                let place = match area {
                    Some(area) => format!("{address}, {area}"),
                    None => address.clone(),
                };
                let number = booking("CW", &place);
                format!(
                    "I have booked your change of address to {place}. Your booking number is {number}; everything \
                     we send from tomorrow on goes there."
                )
            }
            (None, Some(area)) => {
                format!("Thank you, I have {area}. Which street and house number shall I put down?")
            }
            (None, None) => {
                "I can book your change of address right away. Which street and house number, and \
                             which postcode and town, shall I put down?"
                    .to_owned()
            }
        }
    }

    fn order_status(&self) -> String {
        const STATES: [&str; 4] = [
            "was packed this morning and leaves our warehouse tonight",
            "is on its way and should be with you within two working days",
            "is with the driver and comes today before the evening",
            "waits for you at the collection point you chose, for seven more days",
        ];
        let Some(order) = &self.all.order else {
            return "I will look it up. What is the order number? It stands at the top of your confirmation, for \
                    example #48213."
                .to_owned();
        };
        let state = STATES.get((fnv(FNV_START, order) % 4) as usize).copied().unwrap_or(STATES[0]);
        format!("Your order {order} {state}.")
    }

    fn refund(&self) -> String {
        let Some(order) = &self.all.order else {
            return "I am sorry that it did not work out. Which order is the refund for? The number stands at the \
                    top of your confirmation, for example #48213."
                .to_owned();
        };
        let to = match (&self.all.card, &self.all.account) {
            (Some(card), _) => format!("to {}", named(card)),
            (None, Some(account)) => format!("to your account {account}"),
            (None, None) => "the way you paid".to_owned(),
        };
        let number = booking("RF", order);
        format!(
            "I have started the refund for order {order}. The money goes back {to} within three to five working \
             days. Your refund number is {number}."
        )
    }

    fn payment(&self) -> Option<String> {
        if self.now.card.is_some() || self.now.account.is_some() {
            return None; // said below, with the other things that were named
        }
        Some(match (&self.all.card, &self.all.account) {
            (Some(card), _) => {
                format!("I still have {} for this conversation. What shall I do with it?", named(card))
            }
            (None, Some(account)) => format!("I still have your account {account}. What shall I do with it?"),
            (None, None) => {
                "I can note a card or a bank account for your payment. Which one would you like to use? \
                             I never need the card's code or a PIN."
                    .to_owned()
            }
        })
    }

    fn contact(&self) -> Option<String> {
        if self.now.email.is_some() || self.now.phone.is_some() {
            return None; // said below
        }
        Some(match (&self.all.email, &self.all.phone) {
            (Some(email), _) => format!("I have {email} for you. Is that right?"),
            (None, Some(phone)) => format!("I have {phone} for you. Is that right?"),
            (None, None) => "How can we reach you: what is your email address or phone number?".to_owned(),
        })
    }

    fn hand_over(&self) -> String {
        let number = booking("HC", self.asked);
        match (&self.all.email, &self.all.phone) {
            (Some(email), _) => format!(
                "Of course. I hand you over to a colleague, who will write to {email} within one working day. Your \
                 case number is {number}."
            ),
            (None, Some(phone)) => format!(
                "Of course. I hand you over to a colleague, who will call {phone} within one working day. Your case \
                 number is {number}."
            ),
            (None, None) => {
                "Of course, a colleague will take over. At which email address or phone number can \
                             they reach you?"
                    .to_owned()
            }
        }
    }

    fn confirmed(&self) -> Option<String> {
        if !self.said_last.contains("Is that right?") {
            return None;
        }
        Some(match (&self.all.email, &self.all.phone) {
            (Some(email), _) if self.said_last.contains(email) => {
                format!(
                    "Thank you. {email} is confirmed, and I will use it for everything about this request."
                )
            }
            (_, Some(phone)) => format!("Thank you. {phone} is confirmed."),
            _ => "Thank you, that is confirmed.".to_owned(),
        })
    }

    fn denied(&self) -> Option<String> {
        self.said_last
            .contains("Is that right?")
            .then(|| "I am sorry, then I misread it. What is the right one, please?".to_owned())
    }

    /// A sentence for everything this message named and the answer does not yet speak of.
    fn acknowledge(&self, answer: &str) -> Vec<String> {
        let mut said = Vec::new();
        let unsaid = |value: &&String| !answer.contains(value.as_str());
        if let Some(card) = &self.now.card {
            let shown = card.shown.as_deref().or(card.last_four.as_deref()).unwrap_or_default();
            if shown.is_empty() || !answer.contains(shown) {
                said.push(format!("I have noted {}.", named(card)));
            }
        }
        if let Some(account) = self.now.account.as_ref().filter(unsaid) {
            said.push(format!("I have noted your account {account}."));
        }
        if let Some(address) = self.now.address.as_ref().filter(unsaid) {
            said.push(format!("I have read the address {address}."));
        }
        if let Some(order) = self.now.order.as_ref().filter(unsaid) {
            said.push(format!("I see that it is about order {order}."));
        }
        if let Some(other) = self.now.other.iter().find(|other| !answer.contains(other.as_str())) {
            said.push(format!("I can help you without {other}, so there is no need to tell me."));
        }
        if let Some(phone) = self.now.phone.as_ref().filter(unsaid) {
            said.push(format!("We can call you at {phone}."));
        }
        // Last, for it ends with a question.
        if let Some(email) = self.now.email.as_ref().filter(unsaid) {
            said.push(format!("I will write to {email}. Is that right?"));
        }
        said
    }

    fn fallback(&self) -> String {
        if self.asked.trim().is_empty() {
            return format!("I did not get any words. {CAN_DO}");
        }
        format!(
            "I am not sure I understood that. {CAN_DO} Which of these is it, or shall a person take over?"
        )
    }
}

const CAN_DO: &str = "I can look up an order, start a refund, book a change of address, note a card or an email \
                      address, tell you our opening hours, or hand you over to a person.";

/// The card as the bot speaks of it: by placeholder and by its last four.
fn named(card: &Card) -> String {
    match (&card.shown, &card.last_four) {
        (Some(shown), Some(last_four)) => format!("your card {shown}, the one ending in {last_four}"),
        (Some(shown), None) => format!("your card {shown}"),
        (None, Some(last_four)) => format!("your card ending in {last_four}"),
        (None, None) => "your card".to_owned(),
    }
}

/// A number that looks drawn and is not: the same words give the same number. Letters first and few digits, so that
/// nobody takes it for a number of somebody.
fn booking(prefix: &str, of: &str) -> String {
    // Without vowels and look-alikes.
    const LETTERS: &[u8] = b"BCDFGHJKMNPQRSTVWXZ";
    let mut hash = fnv(FNV_START, of);
    let mut draw = |from: &[u8]| {
        let at = (hash % from.len() as u64) as usize;
        hash /= from.len() as u64;
        from.get(at).copied().map_or('X', char::from)
    };
    let letters: String = (0..3).map(|_| draw(LETTERS)).collect();
    let digits: String = (0..2).map(|_| draw(b"23456789")).collect();
    format!("{prefix}-{letters}{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(messages: &[&str]) -> Vec<String> {
        let mut lines: Vec<Line> = Vec::new();
        let mut answers = Vec::new();
        for message in messages {
            lines.push(Line { by_customer: true, text: (*message).to_owned() });
            let answer = reply(&lines).unwrap();
            lines.push(Line { by_customer: false, text: answer.clone() });
            answers.push(answer);
        }
        answers
    }

    fn say(message: &str) -> String {
        talk(&[message]).remove(0)
    }

    #[test]
    fn greets_by_name_and_once() {
        let said = talk(&["Hi, my name is [PERSON_1].", "I am [PERSON_1], where is order 48213?"]);
        assert!(said[0].starts_with("Hello [PERSON_1],") && said[0].ends_with("How can I help you today?"));
        assert!(!said[1].contains("Hello"), "{}", said[1]);
        assert!(say("my name is Anna Berg").starts_with("Hello Anna Berg,"));
        assert!(say("hello").contains("bot"));
    }

    #[test]
    fn repeats_an_email_and_takes_yes_or_no() {
        let said = talk(&["My e-mail is [EMAIL_1]", "yes"]);
        assert_eq!(said[0], "I will write to [EMAIL_1]. Is that right?");
        assert!(said[1].contains("[EMAIL_1] is confirmed"));
        let said = talk(&["My email is [EMAIL_1]", "no", "[EMAIL_2]", "Yes, please"]);
        assert!(said[1].contains("right one"));
        assert!(said[2].contains("[EMAIL_2]") && said[3].contains("[EMAIL_2] is confirmed"), "{said:?}");
    }

    #[test]
    fn confirms_a_card_by_its_last_four() {
        assert_eq!(
            say("My card is [CARD_1 ending 1111]"),
            "I have noted your card [CARD_1 ending 1111], the one ending in 1111. What may I do for you?"
        );
        let clear = say("My card is 4111 1111 1111 1111");
        assert!(clear.contains("ending in 1111") && !clear.contains("4111"), "{clear}");
        assert!(say("Can I pay by card?").ends_with("card's code or a PIN."));
    }

    #[test]
    fn greets_and_confirms_in_one_answer() {
        let said = say("My name is [PERSON_1] and my card is [CARD_1 ending 1111], my e-mail is [EMAIL_1].");
        assert!(said.starts_with("Hello [PERSON_1],"));
        assert!(said.contains("[CARD_1 ending 1111], the one ending in 1111"));
        assert!(said.ends_with("I will write to [EMAIL_1]. Is that right?"), "{said}");
    }

    #[test]
    fn books_a_change_of_address_and_asks_for_what_is_missing() {
        let said = talk(&["I moved house", "Leeds, [POSTCODE_1]", "[ADDRESS_1]", "Thanks!"]);
        assert!(said[0].contains("Which street"));
        assert!(said[1].contains("[POSTCODE_1]") && said[1].contains("Which street"), "{}", said[1]);
        assert!(
            said[2].contains("booked your change of address to [ADDRESS_1], [POSTCODE_1]."),
            "{}",
            said[2]
        );
        assert!(said[3].contains("welcome"));
        let direct = "Please change my address to 12 Elm Road, [POSTCODE_1] Leeds, my name is [PERSON_2].";
        assert!(say(direct).contains("to 12 Elm Road, [POSTCODE_1] Leeds."), "{}", say(direct));
        assert_eq!(say(direct), say(direct), "the booking number is the same each time");
    }

    #[test]
    fn booking_numbers_differ_and_look_like_nobodys_number() {
        let numbers: std::collections::HashSet<String> =
            (0..500).map(|n| booking("CW", &format!("[ADDRESS_{n}]"))).collect();
        assert!(numbers.len() > 490);
        for number in numbers {
            assert_eq!(number.len(), 8);
            assert_eq!(number.bytes().filter(u8::is_ascii_digit).count(), 2, "{number}");
        }
    }

    #[test]
    fn tells_the_state_of_an_order() {
        assert!(say("Where is my order 48213?").starts_with("Your order 48213 "));
        let said = talk(&["Where is my parcel?", "it is #48213"]);
        assert!(said[0].contains("order number?") || said[0].contains("What is the order number"));
        assert!(said[1].starts_with("Your order 48213 "), "{}", said[1]);
        assert!(say("what about order [ORDER_1]").contains("order [ORDER_1] "));
    }

    #[test]
    fn starts_a_refund_to_where_the_money_came_from() {
        let said = talk(&["I want my money back", "order 48213", "refund it to [IBAN_1 ending 3000] please"]);
        assert!(said[0].contains("Which order"));
        assert!(
            said[1].contains("refund for order 48213") && said[1].contains("the way you paid"),
            "{}",
            said[1]
        );
        assert!(said[2].contains("to your account [IBAN_1 ending 3000]"), "{}", said[2]);
        assert!(
            say("refund order 77120 to [CARD_2 ending 4242]")
                .contains("[CARD_2 ending 4242], the one ending")
        );
    }

    #[test]
    fn tells_opening_hours_and_hands_over() {
        assert!(say("When are you open?").contains("8 am"));
        let said = talk(&["I want to talk to a human", "[EMAIL_1]"]);
        assert!(said[0].ends_with("reach you?"));
        assert!(said[1].contains("write to [EMAIL_1]") && said[1].contains("HC-"), "{}", said[1]);
    }

    #[test]
    fn wants_no_secrets() {
        let said = say("my password is [removed: password] and the code [removed: card code]");
        assert!(said.contains("never need to tell me a password"), "{said}");
        assert!(said.contains("never ask you for one"), "{said}");
        let said = say("my card is [CARD_1 ending 1111], code [removed: card code]");
        assert!(said.contains("never need") && said.contains("[CARD_1 ending 1111]"));
        assert!(say("my passport is [PASSPORT_1]").contains("help you without [PASSPORT_1]"));
    }

    #[test]
    fn always_says_something_helpful() {
        for message in ["", "   ", "asdf", "😀", "[", "yes", "no", "???"] {
            assert!(say(message).contains("I can look up an order"), "{message}: {}", say(message));
        }
        assert!(say("what can you do").contains("I am a bot"));
        assert!(say("bye").starts_with("Goodbye"));
        assert!(reply(&[]).is_none());
    }

    proptest::proptest! {
        /// Whatever is said, the bot asks for no secret, and brings up no placeholder that nobody said.
        #[test]
        fn no_talk_breaks_the_bot(words in proptest::collection::vec(
            proptest::sample::select(vec![
                "hello", "my name is", "[PERSON_1]", "[EMAIL_1]", "[CARD_1 ending 1111]", "[CARD_2]", "order", "48213",
                "refund", "address", "to", "[ADDRESS_1]", "[POSTCODE_9]", "password", "[removed: password]", "human",
                "yes", "no", "é[", "]", "\n", "|", "#1234", "card", "4111111111111111", "moved", "[IBAN_1 ending 3000]",
            ]), 0..24))
        {
            let text = words.join(" ");
            for answer in talk(&text.split('|').collect::<Vec<_>>()) {
                proptest::prop_assert!(!answer.is_empty());
                proptest::prop_assert!(!answer.contains("4111111111111111"));
                for asked in answer.split_inclusive(['.', '?']).filter(|sentence| sentence.ends_with('?')) {
                    for secret in ["password", "PIN", "code of"] {
                        proptest::prop_assert!(!asked.contains(secret), "{}", asked);
                    }
                }
                for token in ["[PERSON_1]", "[EMAIL_1]", "[CARD_1 ending 1111]", "[ADDRESS_1]", "[POSTCODE_9]"] {
                    proptest::prop_assert!(!answer.contains(token) || text.contains(token));
                }
            }
        }
    }
}
