// @ts-check
// Server-sent events: chunks of chat completions.

/**
 * The `data` of every event of the stream, in order, and comments. Other fields are skipped.
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @returns {AsyncGenerator<string, void, void>}
 */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  /** @type {string[]} */
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += value ?? "";
      // A lone CR at the end may be half of a CRLF: it waits for the next piece.
      const lines = rest.split(done ? /\r\n|\n|\r/ : /\r\n|\n|\r(?=[^])/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line[0] === ":") yield line;
        else if (line.startsWith("data:")) {
          data.push(line.slice(line[5] === " " ? 6 : 5));
        } else if (line === "" && data.length > 0) {
          yield data.join("\n");
          data = [];
        }
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * What one event adds to the answer.
 * @typedef {{ text: string, done: boolean, problem: string | null }} Piece
 */

/**
 * Reads one event of a chat-completions stream. A chunk that is not understood adds nothing.
 * @param {string} data
 * @returns {Piece}
 */
export function piece(data) {
  if (data.trim() === "[DONE]") return { text: "", done: true, problem: null };
  /** @type {any} */
  let chunk;
  try {
    chunk = JSON.parse(data);
  } catch {
    return { text: "", done: false, problem: null };
  }
  if (chunk?.error) return { text: "", done: false, problem: said(chunk.error) ?? "" };
  const choice = chunk?.choices?.[0];
  const delta = choice?.delta ?? choice?.message;
  const text = [delta?.content, delta?.refusal].filter((part) => typeof part === "string").join("");
  return { text, done: false, problem: null };
}

/**
 * The words meant for people in an error of the server: the title of a problem document (its detail is for
 * developers), or the message of the chat protocol's own error.
 * @param {any} body
 * @returns {string | null}
 */
export function said(body) {
  for (const words of [body?.title, body?.error?.message, body?.message]) {
    if (typeof words === "string" && words.trim() !== "") return /[.!?]$/.test(words) ? words : `${words}.`;
  }
  return null;
}
