//! CSAF 2.0 advisories: which products have which faults, and the hashes of files that are affected.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use chatward_detect::indicator::{Record, Tlp, Value};
use serde::Deserialize;

use crate::fault::{FormFault, What};
use crate::feed::Taker;
use crate::json::{Begins, Walk};
use crate::loose::{Few, Loose};

/// The longest advisory, in bytes: it is read as one.
const LONGEST: usize = 16 << 20;
/// Texts are cut at this, in bytes.
const LONGEST_TEXT: usize = 512;
/// So many products, and so deep in branches, are looked at.
const PRODUCTS: usize = 20_000;

/// What an advisory says, cut to what a list of them shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Advisory {
    /// Its id with its publisher.
    pub id: Box<str>,
    /// Its title.
    pub title: Box<str>,
    /// With whom it may be shared.
    pub tlp: Tlp,
    /// The faults.
    pub vulnerabilities: Vec<Vulnerability>,
    /// Names of affected products, without doubles.
    pub products: Vec<Box<str>>,
}

/// A fault in products.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vulnerability {
    /// Its CVE number; nothing if it has none.
    pub cve: Option<Box<str>>,
    /// The highest CVSS base score that is named, from 0 to 10.
    pub score: Option<f64>,
    /// How many products are known to be affected.
    pub affected: usize,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    document: Head<'a>,
    #[serde(borrow, default)]
    product_tree: Option<Tree<'a>>,
    #[serde(borrow, default)]
    vulnerabilities: Few<Fault<'a>>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    csaf_version: Loose<'a>,
    #[serde(borrow, default)]
    title: Loose<'a>,
    #[serde(borrow, default)]
    tracking: Option<Tracking<'a>>,
    #[serde(borrow, default)]
    distribution: Option<Distribution<'a>>,
}

#[derive(Deserialize)]
struct Tracking<'a> {
    #[serde(borrow, default)]
    id: Loose<'a>,
}

#[derive(Deserialize)]
struct Distribution<'a> {
    #[serde(borrow, default)]
    tlp: Option<Label<'a>>,
}

#[derive(Deserialize)]
struct Label<'a> {
    #[serde(borrow, default)]
    label: Loose<'a>,
}

#[derive(Deserialize)]
struct Tree<'a> {
    #[serde(borrow, default)]
    full_product_names: Few<Product<'a>>,
    #[serde(borrow, default)]
    branches: Few<Branch<'a>>,
}

#[derive(Deserialize)]
struct Branch<'a> {
    #[serde(borrow, default)]
    product: Option<Product<'a>>,
    #[serde(borrow, default)]
    branches: Few<Branch<'a>>,
}

#[derive(Deserialize)]
struct Product<'a> {
    #[serde(borrow, default)]
    product_id: Loose<'a>,
    #[serde(borrow, default)]
    name: Loose<'a>,
    #[serde(borrow, default)]
    product_identification_helper: Option<Helper<'a>>,
}

#[derive(Deserialize)]
struct Helper<'a> {
    #[serde(borrow, default)]
    hashes: Few<Hashes<'a>>,
}

#[derive(Deserialize)]
struct Hashes<'a> {
    #[serde(borrow, default)]
    file_hashes: Few<Hash<'a>>,
}

#[derive(Deserialize)]
struct Hash<'a> {
    #[serde(borrow, default)]
    algorithm: Loose<'a>,
    #[serde(borrow, default)]
    value: Loose<'a>,
}

#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(borrow, default)]
    cve: Loose<'a>,
    #[serde(borrow, default)]
    product_status: Option<Status<'a>>,
    #[serde(borrow, default)]
    scores: Few<Score<'a>>,
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow, default)]
    known_affected: Few<Loose<'a>>,
}

#[derive(Deserialize)]
struct Score<'a> {
    #[serde(borrow, default)]
    cvss_v3: Option<Cvss<'a>>,
    #[serde(borrow, default)]
    cvss_v2: Option<Cvss<'a>>,
}

#[derive(Deserialize)]
struct Cvss<'a> {
    #[serde(borrow, default, rename = "baseScore")]
    base: Loose<'a>,
}

pub(crate) fn read(from: &mut dyn Read, taker: &mut Taker<'_>) -> Result<(), FormFault> {
    let limits = taker.limits();
    let mut walk = Walk::new(from, limits.bytes, limits.depth)?;
    if walk.begins()? != Begins::Object {
        return Err(FormFault::Form("an advisory is an object"));
    }
    let mut raw = Vec::new();
    if !walk.raw(&mut raw, LONGEST)? {
        return Err(FormFault::Long(LONGEST as u64));
    }
    walk.end()?;
    taker.summary.bytes = walk.at();
    let document: Document<'_> =
        serde_json::from_slice(&raw).map_err(|_| FormFault::Form("it is no advisory"))?;
    if document.document.csaf_version.text() != Some("2.0") {
        return Err(FormFault::Form("csaf_version is not 2.0"));
    }
    take(&document, taker)
}

fn take(document: &Document<'_>, taker: &mut Taker<'_>) -> Result<(), FormFault> {
    let mut products = BTreeMap::new();
    if let Some(tree) = &document.product_tree {
        collect(&tree.full_product_names.0, &mut products);
        tree.branches.0.iter().for_each(|branch| walk_branch(branch, &mut products));
    }
    let mut affected = BTreeSet::new();
    let mut vulnerabilities = Vec::new();
    for fault in &document.vulnerabilities.0 {
        taker.entry()?;
        let status = fault.product_status.as_ref().map_or(&[][..], |status| &status.known_affected.0);
        let ids: BTreeSet<&str> = status.iter().filter_map(Loose::text).collect();
        vulnerabilities.push(Vulnerability {
            cve: fault.cve.text().map(cut),
            score: fault.scores.0.iter().filter_map(score).reduce(f64::max),
            affected: ids.len(),
        });
        affected.extend(ids);
    }
    let head = &document.document;
    let label = head.distribution.as_ref().and_then(|d| d.tlp.as_ref()).and_then(|tlp| tlp.label.text());
    let tlp = label.map_or(Tlp::Unmarked, |label| Tlp::read(label).unwrap_or(Tlp::AmberStrict));
    let mut names = BTreeSet::new();
    for product in affected.iter().filter_map(|id| products.get(id)) {
        names.extend(product.name.text().map(cut));
        let helper = product.product_identification_helper.as_ref();
        for hash in helper.iter().flat_map(|helper| &helper.hashes.0).flat_map(|hashes| &hashes.file_hashes.0)
        {
            take_hash(hash, tlp, taker)?;
        }
    }
    taker.advisory(Advisory {
        id: head.tracking.as_ref().and_then(|t| t.id.text()).map(cut).unwrap_or_default(),
        title: head.title.text().map(cut).unwrap_or_default(),
        tlp,
        vulnerabilities,
        products: names.into_iter().collect(),
    });
    Ok(())
}

/// Hashes that are not looked for (SHA-512) are passed over.
fn take_hash(hash: &Hash<'_>, tlp: Tlp, taker: &mut Taker<'_>) -> Result<(), FormFault> {
    taker.entry()?;
    let byte = 0;
    match (hash.algorithm.text(), hash.value.text()) {
        (Some("md5" | "sha1" | "sha256"), Some(value)) => match Value::file(value) {
            Ok(value) => taker.indicator(value, Record { tlp, ..Record::default() }),
            Err(fault) => taker.fault(byte, fault),
        },
        (Some(_), Some(_)) => taker.skip(crate::fault::Skipped::OtherType),
        _ => taker.fault(byte, What::Field("file_hashes")),
    }
    Ok(())
}

fn score(score: &Score<'_>) -> Option<f64> {
    let base = |cvss: &Option<Cvss<'_>>| match cvss.as_ref()?.base {
        Loose::Number(n) if (0.0..=10.0).contains(&n) => Some(n),
        _ => None,
    };
    base(&score.cvss_v3).or_else(|| base(&score.cvss_v2))
}

fn collect<'d, 'a>(list: &'d [Product<'a>], into: &mut BTreeMap<&'d str, &'d Product<'a>>) {
    for product in list {
        if let Some(id) = product.product_id.text()
            && into.len() < PRODUCTS
        {
            into.insert(id, product);
        }
    }
}

/// As deep as the JSON may be nested.
fn walk_branch<'d, 'a>(branch: &'d Branch<'a>, into: &mut BTreeMap<&'d str, &'d Product<'a>>) {
    if let Some(product) = &branch.product {
        collect(std::slice::from_ref(product), into);
    }
    branch.branches.0.iter().for_each(|branch| walk_branch(branch, into));
}

fn cut(text: &str) -> Box<str> {
    text.get(..text.floor_char_boundary(LONGEST_TEXT)).unwrap_or_default().into()
}
