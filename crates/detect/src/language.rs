//! Which language a message is in, for reports: a guess by small words, or none.
//!
//! Each language has words that nearly every sentence needs and that hardly carry a subject: articles, pronouns, forms of
//! "to be". A word that several languages share counts for each of them, and less. Letters that only one of them writes
//! count too. Without a clear lead nothing is said: "ok", "4471" and "pizza" are in no language.

use std::collections::HashMap;
use std::sync::OnceLock;

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

type Votes = [f32; WORDS.len()];

/// The language of a text, if it shows.
pub fn guess(text: &str) -> Option<Lang> {
    static TABLE: OnceLock<HashMap<Vec<u8>, Votes>> = OnceLock::new();
    let table = TABLE.get_or_init(table);
    let mut votes = Votes::default();
    let end = text.char_indices().nth(LOOKED_AT).map_or(text.len(), |(at, _)| at);
    let text = text.get(..end).unwrap_or_default();
    let mut folded = Vec::with_capacity(16);
    for word in text.split_whitespace() {
        // What has a dot or a digit within is an address or a code.
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        folded.clear();
        folded.extend(word.chars().filter_map(normal::fold).map(|b| b.to_ascii_lowercase()));
        if let Some(of) = table.get(folded.as_slice()) {
            votes.iter_mut().zip(of).for_each(|(sum, vote)| *sum += vote);
        }
    }
    for c in text.chars().filter(|c| !c.is_ascii()) {
        for (lang, _) in LETTERS.iter().filter(|(_, letters)| letters.contains(c)) {
            let of = WORDS.iter().position(|(known, _)| known == lang);
            votes.iter_mut().enumerate().filter(|(at, _)| Some(*at) == of).for_each(|(_, sum)| *sum += 1.0);
        }
    }
    let mut order: Vec<(f32, Lang)> =
        votes.into_iter().zip(WORDS).map(|(sum, (lang, _))| (sum, lang)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    match order.as_slice() {
        [(best, lang), (second, _), ..] if *best >= LEAST && *best >= LEAD * second => Some(*lang),
        _ => None,
    }
}

fn table() -> HashMap<Vec<u8>, Votes> {
    let mut table: HashMap<Vec<u8>, Votes> = HashMap::new();
    for (at, (_, words)) in WORDS.iter().enumerate() {
        for word in words.split_whitespace() {
            if let Some(vote) = table.entry(word.as_bytes().to_vec()).or_default().get_mut(at) {
                *vote = 1.0;
            }
        }
    }
    for votes in table.values_mut() {
        let shared: f32 = votes.iter().sum();
        votes.iter_mut().for_each(|vote| *vote /= shared);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

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
