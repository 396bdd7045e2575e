// @ts-check
// A word before a message is sent: what of it will be hidden. It is only a word; the server hides, and finds far more.
// Nothing leaves the browser for it.

/** Card numbers: 13 to 19 digits, in groups or not. */
const DIGITS = /(?<![\p{L}\d])\d(?:[ -]?\d){12,18}(?![\p{L}\d])/gu;
const IBAN = /(?<![\p{L}\d])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![\p{L}\d])/giu;
const EMAIL = /[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+/u;
const SECRET = /(?:password|passcode|passwort|kennwort|mot de passe|contraseña|clave|\bpin\b|\bcv[cv]2?\b)\s*(?:is|ist|lautet|est|es)?\s*[:=]?\s*\S*\d/iu;

/**
 * Whether the digits hold their check digit (ISO/IEC 7812).
 * @param {string} digits
 */
export function luhn(digits) {
  let sum = 0;
  [...digits].reverse().forEach((digit, at) => {
    const twice = Number(digit) * (at % 2 === 1 ? 2 : 1);
    sum += twice > 9 ? twice - 9 : twice;
  });
  return sum % 10 === 0;
}

/**
 * Whether an account number holds its check digits (ISO 13616).
 * @param {string} account
 */
export function iban(account) {
  const text = account.slice(4) + account.slice(0, 4);
  let rest = 0;
  for (const sign of text) {
    for (const digit of parseInt(sign, 36).toString()) rest = (rest * 10 + Number(digit)) % 97;
  }
  return rest === 1;
}

/**
 * What will be hidden of a text: the most telling thing that is in it.
 * @param {string} text
 * @returns {"secret" | "card" | "account" | "email" | null}
 */
export function hint(text) {
  if (SECRET.test(text)) return "secret";
  if ([...text.matchAll(DIGITS)].some(([found]) => luhn(found.replace(/\D/g, "")))) return "card";
  if ([...text.matchAll(IBAN)].some(([found]) => iban(found.replace(/ /g, "").toUpperCase()))) return "account";
  return EMAIL.test(text) ? "email" : null;
}
