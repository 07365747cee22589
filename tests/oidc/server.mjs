// A real OpenID provider for tests: npm's certified oidc-provider with accounts of our own and a sign-in page that
// plain HTTP requests can pass.
//
//   PORT            where it listens on 127.0.0.1
//   ACCOUNTS        JSON: {"alice": {"password": "…", "claims": {"email": "…", "groups": ["…"]}}}
//   CLIENT_SECRET   the secret of the clients `chancery` and `machine`
//
// Beside the provider's own endpoints: GET and POST /interaction/{id}, where people sign in (`login`, `password`) or
// refuse (`abort`); POST /test/rotate, after which another key signs; PUT /test/accounts, which replaces all accounts.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import Provider, { errors } from 'oidc-provider';

const port = Number(process.env.PORT);
const issuer = `http://127.0.0.1:${port}`;
const secret = process.env.CLIENT_SECRET;
const cookieKey = randomUUID();
let accounts = JSON.parse(process.env.ACCOUNTS ?? '{}');
let keys = [];
let provider;

const web = {
  client_id: 'chancery',
  client_secret: secret,
  grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
  redirect_uris: ['http://127.0.0.1/callback'],
  require_auth_time: true,
};
const device = {
  client_id: 'chancery-cli',
  token_endpoint_auth_method: 'none',
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
  response_types: [],
  redirect_uris: [],
};
const machine = {
  client_id: 'machine',
  client_secret: secret,
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
};

function configuration() {
  return {
    clients: [web, device, machine],
    jwks: { keys },
    cookies: { keys: [cookieKey] },
    pkce: { required: () => true },
    scopes: ['openid', 'profile', 'email', 'groups', 'roles'],
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
      roles: ['roles'],
    },
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id].claims }) },
    loadExistingGrant: agreeToEverything,
    renderError: (ctx, out) => {
      ctx.body = out;
    },
  };
}

// Any audience: its access tokens are JSON Web Tokens (RFC 9068).
function resourceServer(_, audience) {
  return { audience, scope: 'ingest read admin', accessTokenFormat: 'jwt', accessTokenTTL: 600 };
}

// Nobody is asked whether the client may know them.
async function agreeToEverything(ctx) {
  const { client, session, params, requestParamScopes } = ctx.oidc;
  const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope([...requestParamScopes].join(' ') || params.scope);
  await grant.save();
  return grant;
}

// `keep` publishes the keys from before beside the new one.
function rotate({ keep }) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
  keys = [key, ...(keep ? keys : [])];
  // Sessions and codes are kept outside of it, by the module.
  provider = new Provider(issuer, configuration());
  // The application under test listens on a port that nobody knows yet.
  provider.Client.prototype.redirectUriAllowed = (uri) => URL.canParse(uri) && new URL(uri).hostname === '127.0.0.1';
  return key.kid;
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function interact(request, response) {
  const { uid, prompt } = await provider.interactionDetails(request, response);
  if (request.method !== 'POST') {
    return answer(response, 200, { uid, prompt: prompt.name });
  }
  const form = new URLSearchParams(await body(request));
  if (form.has('abort')) {
    const result = { error: 'access_denied', error_description: 'the person refused' };
    return provider.interactionFinished(request, response, result);
  }
  const login = form.get('login');
  if (!accounts[login] || accounts[login].password !== form.get('password')) {
    return answer(response, 401, { error: 'wrong user name or password' });
  }
  return provider.interactionFinished(request, response, { login: { accountId: login, amr: ['pwd'] } });
}

function answer(response, status, document) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
}

async function handle(request, response) {
  const path = new URL(request.url, issuer).pathname;
  if (path.startsWith('/interaction/')) return interact(request, response);
  if (request.method === 'POST' && path === '/test/rotate') {
    return answer(response, 200, { kid: rotate(JSON.parse((await body(request)) || '{}')) });
  }
  if (request.method === 'PUT' && path === '/test/accounts') {
    accounts = JSON.parse(await body(request));
    return answer(response, 200, {});
  }
  return provider.callback()(request, response);
}

rotate({ keep: false });
createServer((request, response) => {
  handle(request, response).catch((error) => {
    console.error(error);
    answer(response, error instanceof errors.OIDCProviderError ? error.statusCode : 500, { error: error.message });
  });
}).listen(port, '127.0.0.1');
