// @ts-check
// What the modules of the page share: finding its elements, copying its templates, staying at its end.

/**
 * The one element that matches; the page always has it.
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {{ new (): T }} type
 * @returns {T}
 */
export function one(root, selector, type) {
  const found = root.querySelector(selector);
  if (found instanceof type) return found;
  throw new Error(`the page has no ${selector}`);
}

/**
 * A fresh copy of a template's element.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function copy(id) {
  const element = one(document, id, HTMLTemplateElement).content.firstElementChild?.cloneNode(true);
  if (element instanceof HTMLElement) return element;
  throw new Error(`the page has no ${id}`);
}

/** Whether the reader is at the end of the conversation, or nearly. */
export function atBottom() {
  const page = document.documentElement;
  return page.scrollHeight - page.scrollTop - page.clientHeight < 80;
}

export function bottom() {
  const page = document.documentElement;
  page.scrollTop = page.scrollHeight;
}

/**
 * Says something to those who listen to the page.
 * @param {string} text
 */
export function announce(text) {
  one(document, "#news", HTMLElement).textContent = text;
}

/** @param {number} time milliseconds */
export function rest(time) {
  return new Promise((done) => setTimeout(done, time));
}
