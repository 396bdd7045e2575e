// A real OpenID provider (oidc-provider) with one client. Anybody signs in with any name and no password: who somebody is
// does not matter here, how it is said does.

import { createServer } from "node:http";
import Provider from "oidc-provider";

export const CLIENT = "chatward";
export const SECRET = "a-secret-that-only-this-test-knows";

/** Starts the provider; browsers may be sent back to `redirect`. */
export async function provider(redirect) {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const issuer = `http://localhost:${server.address().port}`;
  const oidc = new Provider(issuer, {
    clients: [{ client_id: CLIENT, client_secret: SECRET, redirect_uris: [redirect] }],
    pkce: { required: () => true },
    claims: { acr: null },
    // Nobody is asked for consent: the house's own program is no stranger.
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid");
      await grant.save();
      return grant;
    },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  });
  server.on("request", oidc.callback());
  return { issuer, close: () => (server.closeAllConnections(), server.close()) };
}
