//! How likely an address is one of an attacker, by how it is written.
//!
//! A linear part over hashed runs of letters and words, and small trees over its sums and over numbers ([`NAMES`]). The
//! file is made by `cargo xtask train-threats`; its card is `models/addresses.md`.

use std::fmt;
use std::sync::LazyLock;

use super::brand::Brands;
use super::features::{NAMES, NUMBERS, OWNERS, Part, Parts, each_hash, numbers};

/// The first bytes of a file.
const MAGIC: &[u8; 8] = b"CWADDR1\n";
/// Questions one after the other in a tree.
pub(super) const DEPTH: usize = 5;
/// Questions and answers of a tree.
pub const QUESTIONS: usize = (1 << DEPTH) - 1;
/// See [`QUESTIONS`].
pub const ANSWERS: usize = 1 << DEPTH;
/// What the trees look at: the sums of the linear part, then the numbers.
pub const COLUMNS: usize = NUMBERS + 3;
/// More trees are taken for damage.
const MOST_TREES: usize = 4096;

/// The file is none of ours, or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a model of addresses, or a damaged one")]
pub struct Damaged;

/// A model at work.
pub struct Model {
    weights: &'static [u8],
    head: Head,
    trees: Vec<Tree>,
}

/// The numbers of a model beside weights and trees.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Head {
    /// What one step of a weight is worth.
    pub scale: f32,
    /// What the linear part begins with.
    pub bias: f32,
    /// The probability is the logistic function of `slope × sum of the trees + offset`.
    pub slope: f32,
    /// See `slope`.
    pub offset: f32,
    /// The probability from which one in a hundred harmless addresses is taken for an attacker's.
    pub one_percent: f32,
    /// The same for one in a thousand.
    pub one_per_mille: f32,
}

/// A tree of questions: all have the same depth; a question that is not asked goes left. Breadth first.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// About which column each question is.
    pub columns: [u8; QUESTIONS],
    /// The value from which it goes right.
    pub from: [f32; QUESTIONS],
    /// What is added, from left to right.
    pub answers: [f32; ANSWERS],
}

/// Columns in room for a power of two of them, so that a place in it needs no check.
type Row = [f32; ROOM];
const ROOM: usize = COLUMNS.next_power_of_two();

fn row(columns: &[f32; COLUMNS]) -> Row {
    let mut row = [0.0; ROOM];
    row.iter_mut().zip(columns).for_each(|(slot, value)| *slot = *value);
    row
}

impl Tree {
    /// What the tree adds for these columns.
    pub fn answer(&self, columns: &[f32; COLUMNS]) -> f32 {
        self.answer_to(&row(columns))
    }

    #[inline]
    fn answer_to(&self, row: &Row) -> f32 {
        let mut at = 0;
        for _ in 0..DEPTH {
            let right = row[usize::from(self.columns[at]) % ROOM] >= self.from[at];
            at = 2 * at + 1 + usize::from(right);
        }
        self.answers[at - QUESTIONS]
    }
}

impl Model {
    /// The model in these bytes.
    ///
    /// # Errors
    ///
    /// [`Damaged`] if they are not what the trainer writes.
    pub fn new(file: &'static [u8]) -> Result<Self, Damaged> {
        let mut rest = file.strip_prefix(MAGIC.as_slice()).ok_or(Damaged)?;
        let rows = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).map_err(|_| Damaged)?;
        let mut head = [0.0; 6];
        for slot in &mut head {
            *slot = float(&mut rest)?;
        }
        let [scale, bias, slope, offset, one_percent, one_per_mille] = head;
        let head = Head { scale, bias, slope, offset, one_percent, one_per_mille };
        if !rows.is_power_of_two() || rest.len() < rows {
            return Err(Damaged);
        }
        let (weights, mut rest) = rest.split_at(rows);
        let count = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).map_err(|_| Damaged)?;
        if count > MOST_TREES {
            return Err(Damaged);
        }
        let trees = (0..count).map(|_| tree(&mut rest)).collect::<Result<_, _>>()?;
        if rest.is_empty() { Ok(Self { weights, head, trees }) } else { Err(Damaged) }
    }

    /// The bytes of a file with these parts. `weights` has a power of two of rows.
    pub fn file(weights: &[i8], head: &Head, trees: &[Tree]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(u32::try_from(weights.len()).unwrap_or_default().to_le_bytes());
        for value in [head.scale, head.bias, head.slope, head.offset, head.one_percent, head.one_per_mille] {
            out.extend(value.to_le_bytes());
        }
        out.extend(weights.iter().map(|w| w.cast_unsigned()));
        out.extend(u32::try_from(trees.len()).unwrap_or_default().to_le_bytes());
        for tree in trees {
            for (column, from) in tree.columns.iter().zip(&tree.from) {
                out.push(*column);
                out.extend(from.to_le_bytes());
            }
            tree.answers.iter().for_each(|answer| out.extend(answer.to_le_bytes()));
        }
        out
    }

    /// What was noted in the file.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// How likely it is that the address is an attacker's, from 0 to 1, if attackers' addresses were as frequent as
    /// harmless ones. Scheme and `www.` do not count; a bare host does as well.
    pub fn score(&self, url: &str) -> f32 {
        self.probability(self.sum(&self.columns(&Parts::of(url))))
    }

    /// The same as a number that means what it means for texts: one in a hundred harmless addresses reaches 0.5, one in a thousand
    /// 0.9.
    pub fn risk(&self, url: &str) -> f32 {
        let odds = |probability: f32| {
            let p = probability.clamp(1e-6, 1.0 - 1e-6);
            (p / (1.0 - p)).ln()
        };
        let [hundred, thousand] = [self.head.one_percent, self.head.one_per_mille].map(odds);
        let sum = self.head.slope * self.sum(&self.columns(&Parts::of(url))) + self.head.offset;
        // ln 9: from even odds to nine in ten.
        1.0 / (1.0 + (-2.197_224_6 * (sum - hundred) / (thousand - hundred).max(1e-3)).exp())
    }

    fn probability(&self, sum: f32) -> f32 {
        1.0 / (1.0 + (-(self.head.slope * sum + self.head.offset)).exp())
    }

    fn sum(&self, columns: &[f32; COLUMNS]) -> f32 {
        total(&self.trees, columns)
    }

    fn weight(&self, hash: u32) -> f32 {
        let row = usize::try_from(hash).unwrap_or_default() & (self.weights.len().wrapping_sub(1));
        self.weights.get(row).map_or(0.0, |w| f32::from(w.cast_signed())) * self.head.scale
    }

    fn columns(&self, parts: &Parts) -> [f32; COLUMNS] {
        let mut sums = Sums::default();
        each_hash(parts, &mut |part, hash| sums.add(part, self.weight(hash)));
        columns(&sums, self.head.bias, parts, &BRANDS)
    }

    /// What speaks most for and against the address: names of what was looked at and how much the score would fall without,
    /// in steps of the log-odds, the strongest first.
    pub fn explain(&self, url: &str, most: usize) -> Vec<(&'static str, f32)> {
        let parts = Parts::of(url);
        let columns = self.columns(&parts);
        let sum = self.sum(&columns);
        let usual = self.columns(&Parts::of(USUAL));
        let mut all: Vec<(&'static str, f32)> = (0..COLUMNS)
            .filter_map(|at| {
                let mut without = columns;
                *without.get_mut(at)? = *usual.get(at)?;
                let name = if at < 3 { SUMS.get(at) } else { NAMES.get(at - 3) };
                Some((*name?, self.head.slope * (sum - self.sum(&without))))
            })
            .filter(|(_, weight)| *weight != 0.0)
            .collect();
        all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        all.truncate(most);
        all
    }
}

/// What the trees say together. Nobody else puts anything under the domains of a brand's owner: that counts for more than
/// trees can learn from the few that lists hold.
fn total(trees: &[Tree], columns: &[f32; COLUMNS]) -> f32 {
    let owners = columns.get(OWNERS + 3).is_some_and(|value| *value > 0.0);
    let row = row(columns);
    trees.iter().map(|tree| tree.answer_to(&row)).sum::<f32>() - if owners { 4.0 } else { 0.0 }
}

/// An address like most: what an explanation compares with.
const USUAL: &str = "https://www.example.com/";
const SUMS: [&str; 3] =
    ["letters and words of the host", "letters and words of the path", "letters and words"];

/// Sums of the linear part.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    host: (f32, u16),
    path: (f32, u16),
}

impl Sums {
    /// Adds a weight.
    pub fn add(&mut self, part: Part, weight: f32) {
        let (sum, count) = match part {
            Part::Host => &mut self.host,
            Part::Path => &mut self.path,
        };
        *sum += weight;
        *count = count.saturating_add(1);
    }

    /// The sums of host and path, each over the root of how many there are.
    pub fn normal(&self) -> (f32, f32) {
        let over = |(sum, count): (f32, u16)| if count == 0 { 0.0 } else { sum / f32::from(count).sqrt() };
        (over(self.host), over(self.path))
    }
}

fn columns(sums: &Sums, bias: f32, parts: &Parts, brands: &Brands) -> [f32; COLUMNS] {
    let (host, path) = sums.normal();
    let mut out = [0.0; COLUMNS];
    let values = [host, path, bias + host + path].into_iter().chain(numbers(parts, brands));
    out.iter_mut().zip(values).for_each(|(slot, value)| *slot = value);
    out
}

fn take<const N: usize>(rest: &mut &'static [u8]) -> Result<[u8; N], Damaged> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(Damaged)?;
    *rest = tail;
    Ok(*head)
}

fn float(rest: &mut &'static [u8]) -> Result<f32, Damaged> {
    let value = f32::from_le_bytes(take(rest)?);
    if value.is_nan() { Err(Damaged) } else { Ok(value) }
}

fn tree(rest: &mut &'static [u8]) -> Result<Tree, Damaged> {
    let mut tree = Tree { columns: [0; QUESTIONS], from: [0.0; QUESTIONS], answers: [0.0; ANSWERS] };
    for (column, from) in tree.columns.iter_mut().zip(&mut tree.from) {
        [*column] = take(rest)?;
        *from = float(rest)?;
        if usize::from(*column) >= COLUMNS {
            return Err(Damaged);
        }
    }
    for answer in &mut tree.answers {
        *answer = float(rest)?;
    }
    Ok(tree)
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("head", &self.head)
            .field("trees", &self.trees.len())
            .finish_non_exhaustive()
    }
}

/// The names of brands that are built in.
pub(super) static BRANDS: LazyLock<Brands> =
    LazyLock::new(|| Brands::new(Brands::lines(include_str!("lists/brands.txt"))));

/// The model that is built in.
pub fn built_in() -> Option<&'static Model> {
    static BUILT_IN: LazyLock<Option<Model>> =
        LazyLock::new(|| Model::new(include_bytes!("../../../../models/addresses.bin")).ok());
    BUILT_IN.as_ref()
}

/// How likely it is that an address is an attacker's, by the model that is built in ([`Model::score`]).
pub fn score(url: &str) -> f32 {
    built_in().map_or(0.0, |model| model.score(url))
}

/// What the trainer shares with the model, so that both see an address alike.
pub mod training {
    pub use super::super::features::{NAMES, NUMBERS, Part};
    use super::{BRANDS, Parts, each_hash, numbers};
    pub use super::{COLUMNS, Head, Sums, Tree};

    /// How deep each tree is.
    pub const DEPTH: usize = super::DEPTH;
    /// Questions and answers of a tree.
    pub use super::{ANSWERS, QUESTIONS};

    /// What the trees say of these columns together.
    pub fn total(trees: &[Tree], columns: &[f32; COLUMNS]) -> f32 {
        super::total(trees, columns)
    }

    /// What is seen of an address: hashes with their part, numbers, and the registrable name.
    pub fn seen(url: &str) -> (Vec<(Part, u32)>, [f32; NUMBERS], String) {
        let parts = Parts::of(url);
        let mut hashes = Vec::new();
        each_hash(&parts, &mut |part, hash| hashes.push((part, hash)));
        (hashes, numbers(&parts, &BRANDS), parts.registrable().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_and_www_do_not_count() {
        for url in [
            "http://example.com/a/b?c=d",
            "https://www.example.com/a/b?c=d",
            "www.example.com/a/b?c=d",
            "EXAMPLE.com/a/b?c=d",
        ] {
            assert_eq!(score(url).to_bits(), score("example.com/a/b?c=d").to_bits(), "{url}");
        }
        assert_eq!(score("https://www.example.com/").to_bits(), score("example.com").to_bits());
    }

    #[test]
    fn attackers_addresses_stand_out() {
        let from = built_in().unwrap().head().one_percent;
        for url in [
            "paypal-secure-login.xyz",
            "http://account-verify-appleid.com/signin.php",
            "steancommumity.ru/tradeoffer/new/",
        ] {
            assert!(score(url) >= from, "{url} {}", score(url));
        }
        for url in [
            "https://www.wikipedia.org/",
            "https://www.paypal.com/signin",
            "docs.python.org/3/library/re.html",
            "uni-bremen.de",
        ] {
            assert!(score(url) < from, "{url} {}", score(url));
        }
    }

    #[test]
    fn a_risk_is_even_where_one_in_a_hundred_harmless_addresses_begins() {
        let model = built_in().unwrap();
        let Head { one_percent, one_per_mille, .. } = *model.head();
        let mut addresses: Vec<&str> = include_str!("../../tests/fixtures/ordinary_links.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        addresses.extend([
            "paypal-secure-login.xyz",
            "http://account-verify-appleid.com/signin.php",
            "steancommumity.ru",
        ]);
        addresses.sort_by(|a, b| score(a).total_cmp(&score(b)));
        let risks: Vec<f32> = addresses.iter().map(|url| model.risk(url)).collect();
        assert!(risks.is_sorted() && risks.iter().all(|risk| (0.0..=1.0).contains(risk)));
        for (url, risk) in addresses.iter().zip(risks) {
            assert_eq!(
                (risk >= 0.5, risk >= 0.9),
                (score(url) >= one_percent, score(url) >= one_per_mille),
                "{url}"
            );
        }
    }

    #[test]
    fn an_explanation_names_what_counts() {
        let model = built_in().unwrap();
        let said = model.explain("http://paypal-secure-login.xyz/", 4);
        assert!(!said.is_empty() && said.len() <= 4 && said[0].1 > 0.0, "{said:?}");
    }

    #[test]
    fn damaged_files_are_refused() {
        let file: &'static [u8] = include_bytes!("../../../../models/addresses.bin");
        assert!(Model::new(file).is_ok());
        for length in [0, 4, 8, 12, 40, 1000, file.len() - 1] {
            assert!(Model::new(&file[..length]).is_err(), "{length}");
        }
        let mut longer = file.to_vec();
        longer.push(0);
        assert!(Model::new(longer.leak()).is_err());
        for at in [0, 9, 11] {
            let mut changed = file.to_vec();
            changed[at] ^= 0xFF;
            assert!(Model::new(changed.leak()).is_err(), "{at}");
        }
    }

    #[test]
    fn a_file_holds_what_it_was_made_of() {
        let head =
            Head { scale: 0.5, bias: 1.0, slope: 1.0, offset: 0.0, one_percent: 0.5, one_per_mille: 0.9 };
        let tree = Tree {
            columns: [3; QUESTIONS],
            from: [2.0; QUESTIONS],
            answers: std::array::from_fn(|n| n as f32),
        };
        let file = Model::file(&[1, -2], &head, std::slice::from_ref(&tree));
        let model = Model::new(file.leak()).unwrap();
        assert_eq!((*model.head(), &model.trees), (head, &vec![tree.clone()]));
        let nowhere = Tree { columns: [u8::try_from(COLUMNS).unwrap(); QUESTIONS], ..tree };
        let file = Model::file(&[1, -2], &head, &[nowhere]);
        assert_eq!(
            Model::new(file.leak()).err(),
            Some(Damaged),
            "a question about a column that there is not"
        );
    }
}
