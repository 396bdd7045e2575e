// @ts-check
// The page's own check of receipts and certificates, run by Node over the vectors that the program made: the same file, byte for
// byte, that browsers get.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const HERE = new URL("../../", import.meta.url);
const text = (/** @type {string} */ path) => readFile(new URL(path, HERE), "utf8");

/** @type {typeof import("../../crates/chatward/static/proof.js")} */
const proof = await import(`data:text/javascript;base64,${Buffer.from(await text("crates/chatward/static/proof.js")).toString("base64")}`);
const vkey = await text("vectors/proofs/vkey");

/**
 * Every document that differs in one place: a value altered, a member gone.
 * @param {any} value
 * @returns {Generator<any>}
 */
function* altered(value) {
  if (typeof value === "string") {
    yield `${value}x`;
    if (value.length > 0) yield value.slice(1);
  } else if (typeof value === "number") {
    yield value + 1;
  } else if (typeof value === "boolean") {
    yield !value;
  } else if (value === null) {
    yield "x";
  } else if (Array.isArray(value)) {
    yield [...value, 1];
    for (const [at, one] of value.entries()) {
      yield value.toSpliced(at, 1);
      for (const other of altered(one)) yield value.with(at, other);
    }
  } else {
    yield { ...value, added: 1 };
    for (const [name, one] of Object.entries(value)) {
      const { [name]: _gone, ...rest } = value;
      yield rest;
      for (const other of altered(one)) yield { ...value, [name]: other };
    }
  }
}

for (const [name, says] of /** @type {const} */ ([
  ["certificate", "verify-certificate"],
  ["receipt", "verify-receipt"],
  ["receipts", "verify-receipts"],
])) {
  test(`${name}.json holds, and with anything altered it does not`, async () => {
    const whole = await text(`vectors/proofs/${name}.json`);
    assert.deepEqual(await proof.checkText(whole, vkey), { good: true, says });
    const key = await proof.logKey(vkey);
    assert.ok(key);
    let count = 0;
    for (const other of altered(JSON.parse(whole))) {
      // A list that is shorter is another list.
      const signed = JSON.parse(whole);
      if (Array.isArray(other) ? other.length > 0 && other.every((one) => signed.some((/** @type {any} */ whole) => equal(one, whole))) : equal(other, signed)) continue;
      count += 1;
      assert.equal((await proof.check(other, key)).good, false, JSON.stringify(other).slice(0, 300));
    }
    assert.ok(count > 40, `${count} alterations`);
  });
}

/** @param {any} a @param {any} b */
const equal = (a, b) => proof.canonical(a) === proof.canonical(b);

test("another key, and what is no document, are refused", async () => {
  const certificate = await text("vectors/proofs/certificate.json");
  const [name, , key] = vkey.trim().split("+");
  assert.equal((await proof.checkText(certificate, `${name}+00000000+${key}`)).says, "verify-unable");
  for (const [what, says] of /** @type {const} */ ([["", "verify-form"], ["[]", "verify-form"], ["null", "verify-form"], ["{}", "verify-form"], ["{", "verify-form"]])) {
    assert.equal((await proof.checkText(what, vkey)).says, says);
  }
});

test("the canonical form is that of RFC 8785", () => {
  // Its section 3.2.3 and appendix B, in part.
  const value = JSON.parse('{"\\u20ac":"Euro","\\r":"CR","\\ufb33":"Heb","1":"One","\\ud83d\\ude00":"Smiley","\\u0080":"C","\\u00f6":"o"}');
  assert.equal(
    proof.canonical(value),
    '{"\\r":"CR","1":"One","\u0080":"C","ö":"o","€":"Euro","😀":"Smiley","\ufb33":"Heb"}',
  );
  assert.equal(proof.canonical([333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001]), "[333333333.3333333,1e+30,4.5,0.002,1e-27]");
});
