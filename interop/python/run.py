"""Unmodified clients from PyPI get and renew tokens; PyJWT verifies them with the published keys."""

import base64
import json
import os
import pathlib
import sys
import time
import uuid
import warnings

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # http on 127.0.0.1

import google.auth.transport.requests  # noqa: E402
import jwt  # noqa: E402
import requests  # noqa: E402
from authlib.integrations.requests_client import AssertionSession, OAuth2Session  # noqa: E402
from authlib.oauth2.rfc7523 import PrivateKeyJWT  # noqa: E402
from google.oauth2 import service_account  # noqa: E402
from jwskate import Jwk  # noqa: E402
from requests_oauth2client import (  # noqa: E402
    BearerToken,
    OAuth2Client,
    OAuth2ClientCredentialsAuth,
    OAuth2Error,
    PrivateKeyJwt,
)

warnings.simplefilter("ignore")  # what libraries plan to change is not about us

FOLDER = pathlib.Path(os.environ["COUNTERSIGN_INTEROP_WORLD"])
WORLD = json.loads((FOLDER / "world.json").read_text())
TOKEN_ENDPOINT = WORLD["token_endpoint"]
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CASES = []


def case(name):
    """Registers a function as the case `name`; the cases run in the order they are written."""

    def register(function):
        CASES.append((name, function))
        return function

    return register


def client_of(name):
    """A configuration and its private key as PEM."""
    client = WORLD["clients"][name]
    return client, pathlib.Path(client["key_file"]).read_text()


def next_second():
    """Libraries that write no `jti` make equal assertions within one second; one assertion is good for one token."""
    time.sleep(1.1 - time.time() % 1)


# --- authlib


def authlib_session():
    client, key = client_of("authlib_client")
    session = OAuth2Session(
        client["id"],
        key,
        token_endpoint_auth_method="private_key_jwt",
        revocation_endpoint_auth_method="private_key_jwt",  # its introspection uses this one too
    )
    # Its audience is the token endpoint, which this configuration has as `verifier_audience`.
    session.register_client_auth_method(PrivateKeyJWT(TOKEN_ENDPOINT))
    return session


@case("authlib PrivateKeyJWT: client credentials and renewal")
def _():
    session = authlib_session()
    first = session.fetch_token(TOKEN_ENDPOINT, grant_type="client_credentials")
    second = session.fetch_token(TOKEN_ENDPOINT, grant_type="client_credentials")
    assert first["token_type"].lower() == "bearer"
    assert first["access_token"] != second["access_token"]


@case("authlib PrivateKeyJWT: introspection and revocation")
def _():
    session = authlib_session()
    token = session.fetch_token(TOKEN_ENDPOINT, grant_type="client_credentials")["access_token"]
    introspect, revoke = WORLD["issuer"] + "/introspect", WORLD["issuer"] + "/revoke"
    assert session.introspect_token(introspect, token=token).json()["active"] is True
    assert session.revoke_token(revoke, token=token).status_code == 200
    assert session.introspect_token(introspect, token=token).json() == {"active": False}


@case("authlib AssertionSession: jwt-bearer grant and automatic renewal")
def _():
    client, key = client_of("authlib_session")
    session = AssertionSession(
        TOKEN_ENDPOINT,
        client["verifier_issuer"],
        client["verifier_subject"],
        audience=client["verifier_audience"],
        grant_type=JWT_BEARER,
        header={"alg": client["algorithm"], "kid": client["kid"]},
        key=key,
    )
    first = session.refresh_token()["access_token"]
    # An expired token is renewed by the library before the next request.
    session.token = {**session.token, "expires_at": int(time.time()) - 1}
    session.get(WORLD["jwks_uri"])
    assert session.token["access_token"] != first


# --- google-auth


def google_credentials(**claims):
    client, key = client_of("google_auth")
    info = {
        "client_email": client["verifier_issuer"],
        "private_key": key,
        "private_key_id": client["kid"],
        "token_uri": TOKEN_ENDPOINT,
    }
    # The library's audience is its maker's; `additional_claims` is the documented way to set another.
    additional = {"aud": client["verifier_audience"], "sub": client["verifier_subject"], **claims}
    return service_account.Credentials.from_service_account_info(info, additional_claims=additional)


@case("google-auth service account: token with a jti")
def _():
    credentials = google_credentials(jti=str(uuid.uuid4()))
    credentials.refresh(google.auth.transport.requests.Request())
    assert credentials.valid and not credentials.expired


@case("google-auth service account: renewal without a jti")
def _():
    credentials = google_credentials()
    request = google.auth.transport.requests.Request()
    next_second()
    credentials.refresh(request)
    first = credentials.token
    next_second()
    credentials.refresh(request)
    assert credentials.token != first


@case("google-auth service account: a wrong audience is refused")
def _():
    credentials = google_credentials(aud="https://other.example", jti=str(uuid.uuid4()))
    try:
        credentials.refresh(google.auth.transport.requests.Request())
    except google.auth.exceptions.RefreshError as error:
        assert "invalid_grant" in str(error), error
    else:
        raise AssertionError("it was accepted")


# --- requests-oauth2client


def roauth2client(**options):
    client, key = client_of("requests_oauth2client")
    # The library writes the key's own `kid`, or else a thumbprint: give it the registered one.
    private = Jwk({**Jwk.from_pem(key).to_dict(), "kid": client["kid"]})
    return OAuth2Client(
        TOKEN_ENDPOINT,
        auth=PrivateKeyJwt(client["id"], private, alg=client["algorithm"], **options),
        introspection_endpoint=WORLD["issuer"] + "/introspect",
        revocation_endpoint=WORLD["issuer"] + "/revoke",
        testing=True,  # the library's own switch for http on a test machine
    )


@case("requests-oauth2client: client credentials and renewal")
def _():
    client = roauth2client()
    first, second = client.client_credentials(), client.client_credentials()
    assert isinstance(first, BearerToken) and not first.is_expired()
    assert first.access_token != second.access_token


@case("requests-oauth2client: expired tokens are renewed by its session")
def _():
    auth = OAuth2ClientCredentialsAuth(roauth2client())
    session = requests.Session()
    session.auth = auth
    session.get(WORLD["jwks_uri"])
    first = auth.token
    auth.token = BearerToken(access_token=first.access_token, expires_in=-1)
    session.get(WORLD["jwks_uri"])
    assert auth.token.access_token != first.access_token


@case("requests-oauth2client: introspection and revocation")
def _():
    # By default its audience is the URL it posts to: at other endpoints than the token endpoint, name the registered one.
    client = roauth2client(aud=TOKEN_ENDPOINT)
    token = client.client_credentials()
    assert client.introspect_token(token)["active"] is True
    assert client.revoke_access_token(token) is True
    assert client.introspect_token(token) == {"active": False}


@case("requests-oauth2client: an unregistered key is invalid_client")
def _():
    client, _key = client_of("requests_oauth2client")
    stranger = Jwk.generate(alg="RS256").with_kid_thumbprint()
    oauth = OAuth2Client(TOKEN_ENDPOINT, auth=PrivateKeyJwt(client["id"], stranger), testing=True)
    try:
        oauth.client_credentials()
    except OAuth2Error as error:
        assert "invalid_client" in repr(error) or "InvalidClient" in type(error).__name__, repr(error)
    else:
        raise AssertionError("it got a token")


# --- PyJWT


def assertion_of(client):
    now = int(time.time())
    claims = {
        "iss": client["verifier_issuer"],
        "sub": client["verifier_subject"],
        "aud": client["verifier_audience"],
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid.uuid4()),
    }
    key = pathlib.Path(client["key_file"]).read_text()
    return jwt.encode(claims, key, client["algorithm"], {"kid": client["kid"]})


def token_of(endpoint, client):
    form = {"grant_type": JWT_BEARER, "assertion": assertion_of(client)}
    answer = requests.post(endpoint, data=form, timeout=10)
    assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
    return answer.json()["access_token"]


def verify(token, jwks_uri, client, algorithm, **changes):
    key = jwt.PyJWKClient(jwks_uri).get_signing_key_from_jwt(token)
    options = {
        "algorithms": [algorithm],
        "audience": client["signer_audience"],
        "issuer": client["signer_issuer"],
        "options": {"require": ["exp", "iat", "iss", "aud", "sub", "jti", "client_id"]},
        **changes,
    }
    return jwt.decode(token, key, **options)


@case("PyJWT: an EdDSA assertion gets a token")
def _():
    client, _key = client_of("pyjwt")
    token = token_of(TOKEN_ENDPOINT, client)
    claims = verify(token, WORLD["jwks_uri"], client, WORLD["signing_algorithm"])
    assert claims["sub"] == client["verifier_subject"]


def pyjwt_cases(algorithm, signer):
    client = signer["client"]

    @case(f"PyJWT: verifies {algorithm}")
    def _():
        token = token_of(signer["token_endpoint"], client)
        assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
        claims = verify(token, signer["jwks_uri"], client, algorithm)
        assert claims["tenant_id"] == signer["tenant_id"]

    @case(f"PyJWT: {algorithm} for another audience or issuer is refused")
    def _():
        token = token_of(signer["token_endpoint"], client)
        for change in ({"audience": "https://other.example"}, {"issuer": "https://other.example"}):
            try:
                verify(token, signer["jwks_uri"], client, algorithm, **change)
            except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
                continue
            raise AssertionError(f"accepted with {change}")

    @case(f"PyJWT: {algorithm} with changed claims is refused")
    def _():
        header, _, signature = token_of(signer["token_endpoint"], client).split(".")
        claims = base64.urlsafe_b64encode(b'{"scope":"everything"}').decode().rstrip("=")
        try:
            verify(f"{header}.{claims}.{signature}", signer["jwks_uri"], client, algorithm)
        except jwt.InvalidSignatureError:
            return
        raise AssertionError("accepted")


for name, organization in WORLD["signers"].items():
    pyjwt_cases(name, organization)


def main():
    failures = 0
    for name, function in CASES:
        try:
            function()
            print(f"ok {name}", flush=True)
        except Exception as error:  # noqa: BLE001: any exception is this case's failure
            failures += 1
            text = " ".join(repr(error).split())
            print(f"not ok {name}: {text}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
