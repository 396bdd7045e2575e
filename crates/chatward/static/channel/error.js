// @ts-check

/**
 * What went wrong, for the page to say in its own words:
 * `keys` the list of keys is not signed by the pinned key, or has no key for now; `refused` the gateway did not open the request;
 * `truncated` the answer broke off; `altered` the answer is not what the gateway sealed; `network` nothing came at all.
 * @typedef {"keys" | "refused" | "truncated" | "altered" | "network"} Kind
 */

export class ChannelError extends Error {
  /**
   * @param {Kind} kind
   * @param {{ status?: number, code?: string, cause?: unknown }} [more]
   */
  constructor(kind, more = {}) {
    super(kind, { cause: more.cause });
    this.name = "ChannelError";
    this.kind = kind;
    this.status = more.status ?? 0;
    this.code = more.code ?? "";
  }
}
