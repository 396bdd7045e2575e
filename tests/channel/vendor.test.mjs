// The files of others that pages load are the programs that their packages have: the same syntax trees, but for the addresses of
// imports. Only comments and indentation are left out.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "acorn";
import { parse as toml } from "smol-toml";

const STATIC = new URL("../../crates/chatward/static/", import.meta.url);
const lock = toml(readFileSync(new URL("vendor.lock", STATIC), "utf8"));

/** A program without where its parts stand. */
const tree = (script) => {
  const places = ["start", "end", "raw"];
  const part = (name, value) => (places.includes(name) ? undefined : typeof value === "bigint" ? `${value}n` : value);
  return JSON.stringify(parse(script, { ecmaVersion: "latest", sourceType: "module" }), part);
};

for (const file of lock.file) {
  test(`${file.path} is ${file.from} of ${file.package}`, () => {
    const folder = new URL(`node_modules/${file.package}/`, import.meta.url);
    assert.equal(JSON.parse(readFileSync(new URL("package.json", folder), "utf8")).version, file.version);
    let theirs = readFileSync(new URL(file.from, folder), "utf8");
    for (const [from, to] of file.rewrites) theirs = theirs.replaceAll(from, to);
    const ours = readFileSync(new URL(`vendor/${file.path}`, STATIC), "utf8");
    assert.ok(tree(ours) === tree(theirs));
    for (const notice of theirs.match(/\/\*![^]*?\*\//g) ?? []) assert.ok(ours.includes(notice), notice);
    // A program that differs is noticed.
    assert.ok(tree(`${ours}\n;0;`) !== tree(theirs));
  });
}
