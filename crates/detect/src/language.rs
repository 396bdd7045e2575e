//! Which language a message is in, for reports: a guess by small words, or none.
//!
//! Each language has words that nearly every sentence needs and that hardly carry a subject: articles, pronouns, forms of
//! "to be". A word that several languages share counts for each of them, and less. Letters that only one of them writes
//! count too. Without a clear lead nothing is said: "ok", "4471" and "pizza" are in no language.

use std::sync::LazyLock;

use crate::Lang;
use crate::normal;

/// So much of a text is looked at, in characters.
const LOOKED_AT: usize = 600;
/// What the best must reach, and by how much it must lead.
const LEAST: f32 = 1.0;
const LEAD: f32 = 1.5;

/// Small words, in lower case and without marks.
const WORDS: [(Lang, &str); 8] = [
    (
        Lang::En,
        "the a an and or but of to in on at for from with by is are was were be been am i i'm im you he she it we they me my \
         your his her our their this that these those not do does did don't dont have has had can can't cant could would \
         will what when where which who why how there here please thanks thank yes hi hello want need like get just if as so \
         about any some no know let it's its i'd i'll i've",
    ),
    (
        Lang::De,
        "der die das den dem des ein eine einen einem einer und oder aber nicht ich du er sie es wir ihr mich mir dich dir \
         uns ist sind war waren sein bin bist habe hast hat haben hatte kann konnen mochte mein meine meinen meiner dein ihre \
         auf aus bei mit nach von vom zu zum zur fur uber unter wie was wann wo wer warum hier auch noch nur schon sehr bitte \
         danke ja nein hallo guten wird werden im am um als dass wenn kein keine",
    ),
    (
        Lang::Fr,
        "le la les un une des du de et ou mais ne pas je tu il elle nous vous ils elles me te se mon ma mes ton ta votre vos \
         notre nos son sa ses ce cet cette ces est sont etait suis es avez ai ont avoir etre peux peut pouvez voudrais dans \
         sur sous avec pour par chez a vers comment quand ou qui que quoi pourquoi ici bien aussi tres plus oui non bonjour \
         merci au aux j'ai c'est d'un d'une qu'il l'on m'appelle s'il",
    ),
    (
        Lang::Es,
        "el la los las un una unos unas de del y o pero no yo tu el ella nosotros ustedes usted me te se mi mis tus su sus \
         este esta estos eso es son era soy estoy esta hay he ha han tengo tiene puedo puede quiero quisiera a en con por para \
         sin sobre como cuando donde quien que porque aqui muy mas tambien si hola gracias favor al lo le les buenos buenas \
         cual ser estar",
    ),
    (
        Lang::It,
        "il lo la i gli le un uno una di del della dei delle e o ma non io tu lui lei noi voi mi ti si ci mio mia miei tuo \
         sua suo nostro questo questa quello e sono era sei siamo ho hai ha hanno posso puo vorrei in con per da dal dalla \
         nel nella sul sulla come quando dove chi che cosa perche qui molto piu anche grazie ciao buongiorno al alla ai alle \
         essere fare si no prego a siete avete stato stata puoi possiamo potete volevo",
    ),
    (
        Lang::Nl,
        "de het een en of maar niet ik jij je hij zij ze wij we jullie u mij me mijn jouw uw zijn haar ons onze dit dat deze \
         die is ben bent was waren heb hebt heeft hebben had kan kunnen wil graag wilt in op aan bij met naar van voor uit \
         over door te om hoe wat wanneer waar wie waarom hier ook nog maar al zeer bedankt dank hallo goedemorgen ja nee als \
         geen wel er worden wordt moet",
    ),
    (
        Lang::Pt,
        "o a os as um uma uns umas de do da dos das e ou mas nao eu tu ele ela nos voce voces eles me te se meu minha meus \
         minhas seu sua seus este esta isso isto e sao era sou estou esta ha tenho tem posso pode quero gostaria em no na nos \
         nas com por para sem sobre como quando onde quem que porque aqui muito mais tambem sim ola obrigado obrigada favor \
         ao aos pelo pela foi ser estar bom",
    ),
    (
        Lang::Pl,
        "i w we z ze na do od po za o u przy dla przez pod nad nie tak jest sa byl byla bylo bede jestem mam masz ma maja \
         mozna moge chce chcialbym ja ty on ona my wy oni mnie mi moj moja moje twoj jego jej ich ten ta to te tego tej tym \
         jak kiedy gdzie kto co dlaczego czy tu juz tylko bardzo prosze dziekuje dzien dobry oraz ale lub sie ul nr",
    ),
];

/// Letters that only one of these languages writes.
const LETTERS: [(Lang, &str); 6] = [
    (Lang::De, "ßäÄ"),
    (Lang::Es, "ñÑ¿¡"),
    (Lang::Pt, "ãõÃÕ"),
    (Lang::Pl, "łŁąęśżźćńĄĘŚŻŹĆŃ"),
    (Lang::Fr, "œŒêèùûî"),
    (Lang::It, "ìò"),
];

/// What a word says for each language, in the order of [`WORDS`].
type Votes = [f32; WORDS.len()];

/// A word as it is compared: its bytes in lower case, one after the other; of a longer one the last. Words that are known are shorter.
type Packed = u128;

/// The words and what each says, close together: every word of a text is asked for, and most are none of these.
struct Table {
    // A power of two of them, at most half of which are taken. Free is what no word is.
    words: Box<[Packed]>,
    votes: Box<[Votes]>,
}

impl Table {
    /// The words of all languages.
    fn of_the_house() -> Self {
        let all = || {
            (0..).zip(WORDS).flat_map(|(at, (_, words))| words.split_whitespace().map(move |word| (at, word)))
        };
        let places = (all().count() * 2).next_power_of_two();
        let (words, votes) = (vec![Packed::default(); places].into(), vec![Votes::default(); places].into());
        let mut table = Self { words, votes };
        for (lang, word) in all() {
            let word = packed(word.as_bytes().iter().copied());
            let (Ok(at) | Err(at)) = table.place(word);
            if let (Some(slot), Some(votes)) = (table.words.get_mut(at), table.votes.get_mut(at)) {
                *slot = word;
                votes.iter_mut().skip(lang).take(1).for_each(|vote| *vote = 1.0);
            }
        }
        for votes in &mut table.votes {
            let shared: f32 = votes.iter().sum::<f32>().max(1.0);
            votes.iter_mut().for_each(|vote| *vote /= shared);
        }
        table
    }

    /// Where a word stands, or would.
    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    fn place(&self, word: Packed) -> Result<usize, usize> {
        let mask = self.words.len() - 1;
        let mixed = (word as u64 ^ ((word >> 64) as u64).rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut at = (mixed >> 32) as usize & mask;
        loop {
            match self.words.get(at) {
                Some(known) if *known == word => return Ok(at),
                Some(0) | None => return Err(at),
                Some(_) => at = (at + 1) & mask,
            }
        }
    }

    fn votes(&self, word: Packed) -> Option<&Votes> {
        let at = self.place(word).ok().filter(|_| word != 0)?;
        self.votes.get(at)
    }
}

fn packed(word: impl IntoIterator<Item = u8>) -> Packed {
    word.into_iter().fold(0, |word, b| word << 8 | Packed::from(b.to_ascii_lowercase()))
}

/// The language of a text, if it shows.
pub fn guess(text: &str) -> Option<Lang> {
    static TABLE: LazyLock<Table> = LazyLock::new(Table::of_the_house);
    let mut votes = Votes::default();
    let mut add = |word: Packed| {
        if let Some(of) = TABLE.votes(word) {
            votes.iter_mut().zip(of).for_each(|(sum, vote)| *sum += vote);
        }
    };
    let mut letters = Votes::default();
    if text.is_ascii() {
        let text = text.as_bytes();
        each_ascii_word(text.get(..LOOKED_AT).unwrap_or(text), &mut add);
    } else {
        let end = text.char_indices().nth(LOOKED_AT).map_or(text.len(), |(at, _)| at);
        let text = text.get(..end).unwrap_or_default();
        for word in text.split_whitespace() {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            add(packed(word.chars().filter_map(normal::fold)));
        }
        for c in text.chars().filter(|c| !c.is_ascii()) {
            for (lang, _) in LETTERS.iter().filter(|(_, letters)| letters.contains(c)) {
                let of = letters.iter_mut().zip(WORDS).filter(|(_, (known, _))| known == lang);
                of.for_each(|(sum, _)| *sum += 1.0);
            }
        }
    }
    votes.iter_mut().zip(letters).for_each(|(sum, more)| *sum += more);
    leader(&votes)
}

/// Shows the words of a text that is ASCII, without what stands at their ends. What has a dot or a digit within is an address or a
/// code, and shown as it is.
fn each_ascii_word(text: &[u8], see: &mut impl FnMut(Packed)) {
    // What was read of a word, and that up to its last letter or digit.
    let (mut read, mut word) = (0, 0);
    for b in text {
        if matches!(b, b' ' | 0x09..=0x0D) {
            if word != 0 {
                see(word);
            }
            (read, word) = (0, 0);
            continue;
        }
        let goes_on = b.is_ascii_alphanumeric();
        read = read << 8 | Packed::from(b.to_ascii_lowercase());
        word = if goes_on { read } else { word };
        // Nothing before the first of them.
        read = if word == 0 { 0 } else { read };
    }
    if word != 0 {
        see(word);
    }
}

/// The language that leads, if one does.
fn leader(votes: &Votes) -> Option<Lang> {
    let (mut best, mut second, mut leads) = (0.0, 0.0, None);
    for (sum, (lang, _)) in votes.iter().zip(WORDS) {
        if *sum > best {
            (best, second, leads) = (*sum, best, Some(lang));
        } else if *sum > second {
            second = *sum;
        }
    }
    leads.filter(|_| best >= LEAST && best >= LEAD * second)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// The same said plainly.
    fn plainly(text: &str) -> Option<Lang> {
        let mut says: HashMap<Vec<u8>, Vec<Lang>> = HashMap::new();
        for (lang, word) in
            WORDS.into_iter().flat_map(|(lang, words)| words.split_whitespace().map(move |w| (lang, w)))
        {
            let known = says.entry(word.into()).or_default();
            if !known.contains(&lang) {
                known.push(lang);
            }
        }
        let text: String = text.chars().take(LOOKED_AT).collect();
        let mut votes: Vec<(Lang, f32)> = WORDS.iter().map(|(lang, _)| (*lang, 0.0)).collect();
        for word in text.split_whitespace() {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            let word: Vec<u8> =
                word.chars().filter_map(normal::fold).map(|b| b.to_ascii_lowercase()).collect();
            let known = says.get(&word).map_or(&[][..], Vec::as_slice);
            for (_, sum) in votes.iter_mut().filter(|(lang, _)| known.contains(lang)) {
                *sum += 1.0 / known.len() as f32;
            }
        }
        let mut letters: Vec<f32> = vec![0.0; votes.len()];
        for c in text.chars().filter(|c| !c.is_ascii()) {
            let writes = |lang: &Lang| LETTERS.iter().any(|(of, letters)| of == lang && letters.contains(c));
            letters
                .iter_mut()
                .zip(&votes)
                .filter(|(_, (lang, _))| writes(lang))
                .for_each(|(sum, _)| *sum += 1.0);
        }
        votes.iter_mut().zip(letters).for_each(|((_, sum), more)| *sum += more);
        votes.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (lang, best) = votes[0];
        (best >= LEAST && best >= LEAD * votes[1].1).then_some(lang)
    }

    proptest! {
        #[test]
        fn a_guess_is_what_the_words_say(
            text in "(the|The|i'm|de |der|und|een|que|o|é|la|ñ|ł|don't|goedemorgen|\\PC|[ \t\n.,!?'\"-]|\u{1F}|\u{200B}|thisisaverylongword|a.b|4){0,40}",
        ) {
            prop_assert_eq!(guess(&text), plainly(&text), "{:?}", text);
        }
    }

    #[test]
    fn every_word_is_known_and_only_for_its_languages() {
        let table = Table::of_the_house();
        for (at, (lang, words)) in WORDS.iter().enumerate() {
            for word in words.split_whitespace() {
                // A longer one could be the end of another.
                assert!(word.len() < size_of::<Packed>() && word.is_ascii(), "{word}");
                let votes = table.votes(packed(word.bytes())).unwrap();
                assert!(votes[at] > 0.0, "{word} of {lang:?}");
                assert!((votes.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{word}");
            }
        }
        assert_eq!(table.votes(packed(*b"thisisaverylongword")), None);
        assert_eq!(table.votes(packed([])), None);
    }

    #[test]
    fn sentences_show_their_language() {
        for (text, lang) in [
            ("hi im sarah jones i live at 12 oak st springfield", Lang::En),
            ("Where is my order? It was sent to the wrong address.", Lang::En),
            ("Ich habe meine Rechnung nicht bekommen, koennen Sie mir helfen?", Lang::De),
            ("ich möchte mein konto kündigen", Lang::De),
            ("Bonjour, je voudrais changer mon adresse s'il vous plaît", Lang::Fr),
            ("hola, no puedo entrar en mi cuenta", Lang::Es),
            ("Vorrei sapere dove è il mio ordine, grazie", Lang::It),
            ("Ik heb een vraag over mijn bestelling", Lang::Nl),
            ("Olá, não consigo entrar na minha conta", Lang::Pt),
            ("Dzień dobry, nie mogę zalogować się na moje konto", Lang::Pl),
        ] {
            assert_eq!(guess(text), Some(lang), "{text}");
        }
    }

    #[test]
    fn what_is_in_no_language_is_not_guessed() {
        for text in ["", "4471", "ok", "pizza margherita", "john@example.com", "東京都", "SELECT 1;"] {
            assert_eq!(guess(text), None, "{text}");
        }
    }
}
