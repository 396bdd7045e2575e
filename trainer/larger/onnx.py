"""Writes a sentence model of the BERT family as an ONNX file: `python3 onnx.py FOLDER OUT.onnx`, no packages needed.

FOLDER holds `config.json` and `model.safetensors` as they are published (all-MiniLM-L6-v2: Apache-2.0). The same weights
give the same file. Its output is `last_hidden_state`: what each token of a text is to the model.
"""

import array
import json
import math
import pathlib
import struct
import sys

FLOAT, INT64 = 1, 7


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def number(field, n):
    return varint(field << 3) + varint(n)


def text(field, value):
    value = value if isinstance(value, bytes) else value.encode()
    return varint(field << 3 | 2) + varint(len(value)) + value


def value(name, kind, shape):
    dims = b"".join(text(1, text(2, d) if isinstance(d, str) else number(1, d)) for d in shape)
    return text(1, name) + text(2, text(1, number(1, kind) + text(2, dims)))


def attribute(name, given):
    if isinstance(given, float):
        what = varint(2 << 3 | 5) + struct.pack("<f", given) + number(20, 1)
    elif isinstance(given, int):
        what = number(3, given) + number(20, 2)
    else:
        what = b"".join(number(8, n) for n in given) + number(20, 7)
    return text(5, text(1, name) + what)


class Graph:
    def __init__(self):
        self.nodes, self.tensors, self.count = [], [], 0

    def add(self, kind, *inputs, **attributes):
        """One operation; gives the name of what it makes."""
        self.count += 1
        name = f"{kind}_{self.count}"
        given = b"".join(attribute(key, value) for key, value in attributes.items())
        ends = b"".join(text(1, i) for i in inputs) + text(2, name) + text(3, name) + text(4, kind)
        self.nodes.append(text(1, ends + given))
        return name

    def tensor(self, kind, shape, raw):
        self.count += 1
        name = f"constant_{self.count}"
        dims = b"".join(number(1, n) for n in shape)
        self.tensors.append(text(5, dims + number(2, kind) + text(8, name) + text(9, raw)))
        return name

    def numbers(self, *numbers):
        return self.tensor(INT64, [len(numbers)], struct.pack(f"<{len(numbers)}q", *numbers))

    def one(self, number):
        return self.tensor(FLOAT, [], struct.pack("<f", number))


def weights(path):
    """The tensors of a safetensors file: a length, a table in JSON, and the numbers."""
    raw = path.read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    table, start = json.loads(raw[8 : 8 + length]), 8 + length
    for name, entry in table.items():
        if name == "__metadata__" or not entry["dtype"].startswith("F"):
            continue
        if entry["dtype"] != "F32":
            sys.exit(f"{path}: {name} is {entry['dtype']}, not F32")
        begin, end = entry["data_offsets"]
        yield name, (entry["shape"], raw[start + begin : start + end])


def turned(shape, raw):
    """A matrix with rows and columns changed over."""
    rows, columns = shape
    flat, out = array.array("f", raw), array.array("f")
    for column in range(columns):
        out.extend(flat[column::columns])
    return [columns, rows], out.tobytes()


def main(folder, out):
    config = json.loads((folder / "config.json").read_text())
    if config["hidden_act"] != "gelu" or config.get("position_embedding_type", "absolute") != "absolute":
        sys.exit("not a model of this form")
    heads, width = config["num_attention_heads"], config["hidden_size"]
    known = dict(weights(folder / "model.safetensors"))
    g = Graph()

    def plain(name):
        return g.tensor(FLOAT, *known[name])

    def dense(x, name):
        matrix = g.tensor(FLOAT, *turned(*known[name + ".weight"]))
        return g.add("Add", g.add("MatMul", x, matrix), plain(name + ".bias"))

    def normed(x, name):
        scale, shift = plain(name + ".weight"), plain(name + ".bias")
        return g.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=config["layer_norm_eps"])

    words = g.add("Gather", plain("embeddings.word_embeddings.weight"), "input_ids", axis=0)
    types = g.add("Gather", plain("embeddings.token_type_embeddings.weight"), "token_type_ids", axis=0)
    length = g.add("Gather", g.add("Shape", "input_ids"), g.numbers(1), axis=0)
    places = plain("embeddings.position_embeddings.weight")
    places = g.add("Slice", places, g.numbers(0), length, g.numbers(0))
    x = g.add("Add", g.add("Add", words, types), places)
    x = normed(x, "embeddings.LayerNorm")

    seen = g.add("Unsqueeze", g.add("Cast", "attention_mask", to=FLOAT), g.numbers(1, 2))
    hidden = g.add("Mul", g.add("Sub", g.one(1.0), seen), g.one(-1e9))
    split, joined = g.numbers(0, 0, heads, width // heads), g.numbers(0, 0, width)
    root = g.one(math.sqrt(width // heads))
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."

        def part(name, order):
            return g.add("Transpose", g.add("Reshape", dense(x, at + name), split), perm=order)

        query, key = part("attention.self.query", [0, 2, 1, 3]), part("attention.self.key", [0, 2, 3, 1])
        values = part("attention.self.value", [0, 2, 1, 3])
        scores = g.add("Add", g.add("Div", g.add("MatMul", query, key), root), hidden)
        read = g.add("MatMul", g.add("Softmax", scores, axis=-1), values)
        read = g.add("Reshape", g.add("Transpose", read, perm=[0, 2, 1, 3]), joined)
        x = normed(g.add("Add", dense(read, at + "attention.output.dense"), x), at + "attention.output.LayerNorm")
        more = g.add("Gelu", dense(x, at + "intermediate.dense"))
        x = normed(g.add("Add", dense(more, at + "output.dense"), x), at + "output.LayerNorm")
    g.nodes.append(text(1, text(1, x) + text(2, "last_hidden_state") + text(3, "end") + text(4, "Identity")))

    ends = [text(11, value(name, INT64, ["batch", "sequence"])) for name in ("input_ids", "attention_mask", "token_type_ids")]
    ends.append(text(12, value("last_hidden_state", FLOAT, ["batch", "sequence", width])))
    graph = b"".join(g.nodes) + text(2, "bert") + b"".join(g.tensors) + b"".join(ends)
    model = number(1, 8) + text(2, "onnx.py") + text(7, graph) + text(8, text(1, "") + number(2, 20))
    out.write_bytes(model)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
