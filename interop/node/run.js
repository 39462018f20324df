// Unmodified clients from npm: openid-client and oauth4webapi get and renew tokens, oauth4webapi and jose verify them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { webcrypto, randomUUID } from 'node:crypto'
import * as jose from 'jose'
import * as oauth from 'oauth4webapi'
import * as oidc from 'openid-client'

globalThis.crypto ??= webcrypto // Node.js 18

const world = JSON.parse(readFileSync(join(process.env.COUNTERSIGN_INTEROP_WORLD, 'world.json'), 'utf8'))
const issuer = new URL(world.issuer)
let failures = 0

async function test(name, run) {
  try {
    await run()
    console.log(`ok ${name}`)
  } catch (error) {
    failures += 1
    const cause = error.cause ? ` (${JSON.stringify(error.cause)})` : ''
    console.log(`not ok ${name}: ${error.message}${cause}`.replaceAll('\n', ' '))
  }
}

function expect(condition, message) {
  if (!condition) throw new Error(message)
}

async function refused(run, code) {
  try {
    await run()
  } catch (error) {
    expect(error.code === code, `expected ${code}, got ${error.code}: ${error.message}`)
    return
  }
  throw new Error(`expected ${code}, but it was accepted`)
}

async function privateKey(client) {
  return jose.importPKCS8(readFileSync(client.key_file, 'utf8'), client.algorithm)
}

async function signed(client) {
  return new jose.SignJWT({})
    .setProtectedHeader({ alg: client.algorithm, kid: client.kid })
    .setIssuer(client.verifier_issuer)
    .setSubject(client.verifier_subject)
    .setAudience(client.verifier_audience)
    .setIssuedAt()
    .setExpirationTime('1m')
    .setJti(randomUUID())
    .sign(await privateKey(client))
}

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

async function openidClient() {
  const client = world.clients.openid_client
  const key = { key: await privateKey(client), kid: client.kid }
  let config
  for (const algorithm of ['oauth2', 'oidc']) {
    await test(`openid-client: discovery (${algorithm})`, async () => {
      config = await oidc.discovery(issuer, client.id, undefined, oidc.PrivateKeyJwt(key), {
        algorithm,
        execute: [oidc.allowInsecureRequests],
      })
      expect(config.serverMetadata().token_endpoint === world.token_endpoint, 'another token endpoint')
    })
  }
  let first
  await test('openid-client: client credentials', async () => {
    first = await oidc.clientCredentialsGrant(config)
    expect(first.access_token && first.expiresIn() > 0, 'no token or no lifetime')
  })
  await test('openid-client: renewal', async () => {
    const second = await oidc.clientCredentialsGrant(config)
    expect(second.access_token !== first.access_token, 'the same token')
  })
  await test('openid-client: jwt-bearer grant', async () => {
    // The assertion is the credential: there is no client authentication beside it.
    const anonymous = new oidc.Configuration(config.serverMetadata(), client.id, undefined, oidc.None())
    oidc.allowInsecureRequests(anonymous)
    const answer = await oidc.genericGrantRequest(anonymous, JWT_BEARER, { assertion: await signed(client) })
    expect(answer.access_token, 'no token')
  })
  await test('openid-client: introspection', async () => {
    const answer = await oidc.tokenIntrospection(config, first.access_token)
    expect(answer.active === true, 'inactive')
  })
  await test('openid-client: revocation', async () => {
    await oidc.tokenRevocation(config, first.access_token)
    const answer = await oidc.tokenIntrospection(config, first.access_token)
    expect(answer.active === false, 'still active')
  })
}

async function oauth4webapi() {
  const configuration = world.clients.oauth4webapi
  const client = { client_id: configuration.id }
  const auth = oauth.PrivateKeyJwt({ key: await privateKey(configuration), kid: configuration.kid })
  const options = { [oauth.allowInsecureRequests]: true }
  let server
  await test('oauth4webapi: discovery', async () => {
    const answer = await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oauth2' })
    server = await oauth.processDiscoveryResponse(issuer, answer)
  })
  const get = async () => {
    const answer = await oauth.clientCredentialsGrantRequest(server, client, auth, {}, options)
    return oauth.processClientCredentialsResponse(server, client, answer)
  }
  let first
  await test('oauth4webapi: client credentials', async () => {
    first = await get()
  })
  await test('oauth4webapi: renewal', async () => {
    const second = await get()
    expect(second.access_token !== first.access_token, 'the same token')
  })
  await test('oauth4webapi: jwt-bearer grant without client authentication', async () => {
    const parameters = { assertion: await signed(configuration) }
    const answer = await oauth.genericTokenEndpointRequest(
      server, client, oauth.None(), JWT_BEARER, parameters, options,
    )
    const result = await oauth.processGenericTokenEndpointResponse(server, client, answer)
    expect(result.access_token, 'no token')
  })
  await test('oauth4webapi: a refusal is an OAuth error', async () => {
    const stranger = oauth.PrivateKeyJwt((await jose.generateKeyPair('ES256')).privateKey)
    const answer = await oauth.clientCredentialsGrantRequest(server, client, stranger, {}, options)
    try {
      await oauth.processClientCredentialsResponse(server, client, answer)
    } catch (error) {
      const code = error.error ?? error.cause?.[0]?.parameters?.error
      expect(code === 'invalid_client' || error.code === 'OAUTH_WWW_AUTHENTICATE_CHALLENGE', error.message)
      return
    }
    throw new Error('a stranger got a token')
  })
  const request = (token) => new Request('http://127.0.0.1/api', { headers: { authorization: `Bearer ${token}` } })
  await test('oauth4webapi: RFC 9068 access token', async () => {
    const claims = await oauth.validateJwtAccessToken(
      server, request(first.access_token), configuration.signer_audience, options,
    )
    expect(claims.client_id === configuration.id, `client_id is ${claims.client_id}`)
  })
  await test('oauth4webapi: another audience is refused', () =>
    refused(
      () => oauth.validateJwtAccessToken(server, request(first.access_token), 'https://other.example', options),
      'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
    ))
}

async function tokenOf(signer) {
  const body = new URLSearchParams({ grant_type: JWT_BEARER, assertion: await signed(signer.client) })
  const answer = await fetch(signer.token_endpoint, { method: 'POST', body })
  const json = await answer.json()
  expect(answer.ok, `${answer.status} ${JSON.stringify(json)}`)
  return json.access_token
}

async function joseVerifies() {
  const tokens = {}
  for (const [algorithm, signer] of Object.entries(world.signers)) {
    const keys = jose.createRemoteJWKSet(new URL(signer.jwks_uri))
    const options = { issuer: signer.client.signer_issuer, audience: signer.client.signer_audience, typ: 'at+jwt' }
    await test(`jose: verifies ${algorithm}`, async () => {
      tokens[algorithm] = await tokenOf(signer)
      const { payload, protectedHeader } = await jose.jwtVerify(tokens[algorithm], keys, options)
      expect(protectedHeader.alg === algorithm, `alg is ${protectedHeader.alg}`)
      expect(payload.tenant_id === signer.tenant_id, `tenant_id is ${payload.tenant_id}`)
      expect(payload.exp - payload.iat === signer.client.access_token_lifetime, 'another lifetime')
    })
    await test(`jose: ${algorithm} for another audience is refused`, () =>
      refused(
        () => jose.jwtVerify(tokens[algorithm], keys, { ...options, audience: 'https://other.example' }),
        'ERR_JWT_CLAIM_VALIDATION_FAILED',
      ))
    await test(`jose: ${algorithm} with changed claims is refused`, () => {
      const [header, , signature] = tokens[algorithm].split('.')
      const claims = { ...jose.decodeJwt(tokens[algorithm]), scope: 'everything' }
      const forged = [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.')
      return refused(() => jose.jwtVerify(forged, keys, options), 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED')
    })
  }
  await test("jose: another organization's keys do not verify", () => {
    const keys = jose.createRemoteJWKSet(new URL(world.signers.EdDSA.jwks_uri))
    return refused(() => jose.jwtVerify(tokens.ES256, keys), 'ERR_JWKS_NO_MATCHING_KEY')
  })
}

await openidClient()
await oauth4webapi()
await joseVerifies()
process.exitCode = failures === 0 ? 0 : 1
