-- Facts about the instance as a whole, one row each: instance_id, restore_epoch, restored_at, issuance_held,
-- clock_high_water.
CREATE TABLE instance (
    name   TEXT NOT NULL PRIMARY KEY, -- the fact
    value  TEXT NOT NULL              -- its value as text
);

-- What other nodes must look at again. Positions are handed out under a row lock, so they appear in commit order.
CREATE TABLE feed_head (
    id        BIGINT NOT NULL PRIMARY KEY CHECK (id = 1), -- always 1
    position  BIGINT NOT NULL                             -- the last position handed out
);
INSERT INTO feed_head (id, position) VALUES (1, 0);

CREATE TABLE feed (
    position   BIGINT NOT NULL PRIMARY KEY, -- commit order
    tenant_id  TEXT   NOT NULL,             -- the organization concerned
    topic      TEXT   NOT NULL,             -- organization, configuration, signing_keys, revocation
    subject    TEXT   NOT NULL,             -- the ID of what changed
    at         BIGINT NOT NULL              -- seconds since 1970
);

-- Change requests: immutable but for their state (approvals.md C4, C5).
CREATE TABLE change_requests (
    tenant_id      TEXT   NOT NULL, -- the organization
    number         BIGINT NOT NULL, -- counts within the organization
    id             TEXT   NOT NULL, -- cr-…
    kind           TEXT   NOT NULL, -- the governed operation (C3)
    class          TEXT   NOT NULL, -- edit or containment
    target         TEXT   NOT NULL, -- the ID of what is changed
    envelope       TEXT   NOT NULL, -- canonical JSON (RFC 8785) of the signed description
    change_digest  TEXT   NOT NULL, -- SHA-256 of label and envelope, hexadecimal
    maker          TEXT   NOT NULL, -- who asked
    state          TEXT   NOT NULL, -- pending, applied, rejected, canceled, superseded, expired, failed
    submitted_at   BIGINT NOT NULL, -- seconds since 1970
    expires_at     BIGINT NOT NULL, -- when it lapses, seconds since 1970
    closed_at      BIGINT,          -- when it reached a terminal state
    close_reason   TEXT,            -- why, where a reason belongs to the state
    mac            BYTEA  NOT NULL, -- keyed digest of this row, made anew with each state
    PRIMARY KEY (tenant_id, number),
    UNIQUE (id)
);
-- At most one open edit of one target (C4).
CREATE UNIQUE INDEX change_requests_one_open_edit
    ON change_requests (tenant_id, target) WHERE state = 'pending' AND class = 'edit';

-- Every version of everything governed; append-only, and each names the request that made it (I7).
CREATE TABLE versions (
    tenant_id      TEXT   NOT NULL, -- the organization
    target         TEXT   NOT NULL, -- the ID of what is governed
    version        BIGINT NOT NULL, -- counts from 1
    state          TEXT   NOT NULL, -- canonical JSON of the whole state
    digest         TEXT   NOT NULL, -- SHA-256 of state, hexadecimal
    change_number  BIGINT NOT NULL, -- the request that made it
    applied_at     BIGINT NOT NULL, -- seconds since 1970
    position       BIGINT NOT NULL, -- its place in the order in which the organization's changes were applied, from 1
    mac            BYTEA  NOT NULL, -- keyed digest of the version and its place
    PRIMARY KEY (tenant_id, target, version),
    FOREIGN KEY (tenant_id, change_number) REFERENCES change_requests (tenant_id, number)
);

-- How many changes of an organization have been applied: what is older than the newest of them is noticed.
CREATE TABLE version_heads (
    tenant_id  TEXT   NOT NULL PRIMARY KEY, -- the organization
    applied    BIGINT NOT NULL,             -- how many changes were applied; the place of the newest version
    mac        BYTEA  NOT NULL              -- keyed digest of this row
);

-- Organizations as they stand.
CREATE TABLE organizations (
    tenant_id      TEXT   NOT NULL PRIMARY KEY, -- tn-…
    version        BIGINT NOT NULL, -- equals the newest row in versions
    change_number  BIGINT NOT NULL, -- the request that made it
    state          TEXT   NOT NULL, -- canonical JSON of the whole state
    mac            BYTEA  NOT NULL, -- keyed digest of this row; a row edited by hand is not believed
    created_at     BIGINT NOT NULL, -- seconds since 1970
    updated_at     BIGINT NOT NULL  -- seconds since 1970
);

-- Authentication configurations as they stand.
CREATE TABLE configurations (
    tenant_id      TEXT   NOT NULL, -- the organization
    id             TEXT   NOT NULL, -- ac-…
    version        BIGINT NOT NULL, -- equals the newest row in versions
    change_number  BIGINT NOT NULL, -- the request that made it
    status         TEXT   NOT NULL, -- ACTIVE, SUSPENDED, DEACTIVATED
    auth_type      TEXT   NOT NULL, -- STANDARD, THIRD_PARTY
    issuer         TEXT   NOT NULL, -- verifier_issuer
    subject        TEXT   NOT NULL, -- verifier_subject
    audience       TEXT   NOT NULL, -- verifier_audience
    state          TEXT   NOT NULL, -- canonical JSON of the whole state
    mac            BYTEA  NOT NULL, -- keyed digest of this row
    created_at     BIGINT NOT NULL, -- seconds since 1970
    updated_at     BIGINT NOT NULL, -- seconds since 1970
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES organizations (tenant_id)
);
-- An assertion selects exactly one configuration (tokens.md).
CREATE UNIQUE INDEX configurations_triple
    ON configurations (tenant_id, issuer, subject, audience) WHERE status <> 'DEACTIVATED';

-- Every public key ever registered: one key, one configuration, on the whole platform.
CREATE TABLE registered_keys (
    fingerprint       TEXT   NOT NULL PRIMARY KEY, -- SHA-256 of the SubjectPublicKeyInfo, hexadecimal
    tenant_id         TEXT   NOT NULL,             -- whose it is; never told to anybody else
    configuration_id  TEXT   NOT NULL,             -- the configuration
    modulus           BYTEA,                       -- RSA only, to find shared prime factors
    rsa_place         BIGINT UNIQUE,               -- RSA only: its place in the order of registration, from 1
    registered_at     BIGINT NOT NULL,             -- seconds since 1970
    mac               BYTEA  NOT NULL              -- keyed digest of this row
);

-- The organizations' signing keys.
CREATE TABLE signing_keys (
    tenant_id   TEXT   NOT NULL, -- the organization
    kid         TEXT   NOT NULL, -- RFC 7638 thumbprint
    algorithm   TEXT   NOT NULL, -- ES256, EdDSA, PS256, RS256
    state       TEXT   NOT NULL, -- next, current, retiring, retired
    since       BIGINT NOT NULL, -- when it entered the state
    public_key  TEXT   NOT NULL, -- PEM
    sealed      BYTEA,           -- the private key, sealed under the master key; erased when retired
    created_at  BIGINT NOT NULL, -- seconds since 1970
    mac         BYTEA  NOT NULL, -- keyed digest of this row
    PRIMARY KEY (tenant_id, kid)
);
CREATE UNIQUE INDEX signing_keys_one_current ON signing_keys (tenant_id) WHERE state = 'current';

-- API tokens: digests only.
CREATE TABLE api_tokens (
    id          TEXT   NOT NULL PRIMARY KEY, -- at-…
    digest      TEXT   NOT NULL UNIQUE,      -- SHA-256 of the secret, hexadecimal
    name        TEXT   NOT NULL,             -- what people call it
    tenant_id   TEXT,                        -- its organization; none for the platform
    role        TEXT   NOT NULL,             -- admin, auditor, introspector
    created_at  BIGINT NOT NULL,             -- seconds since 1970
    expires_at  BIGINT NOT NULL,             -- seconds since 1970
    revoked_at  BIGINT,                      -- seconds since 1970
    mac         BYTEA  NOT NULL              -- keyed digest of this row; emptied when the token is revoked
);

-- Access tokens revoked before their end.
CREATE TABLE revoked_tokens (
    tenant_id   TEXT   NOT NULL, -- the organization
    jti         TEXT   NOT NULL, -- the token
    expires_at  BIGINT NOT NULL, -- when the row may go
    revoked_at  BIGINT NOT NULL, -- seconds since 1970
    PRIMARY KEY (tenant_id, jti)
);

-- Answers to repeated requests with one Idempotency-Key.
CREATE TABLE idempotent_answers (
    caller          TEXT   NOT NULL, -- the API token
    idempotency_key TEXT   NOT NULL, -- the header
    request_digest  TEXT   NOT NULL, -- SHA-256 of method, path and body, hexadecimal
    status          BIGINT NOT NULL, -- HTTP status of the answer
    body            TEXT   NOT NULL, -- the answer
    created_at      BIGINT NOT NULL, -- seconds since 1970
    mac             BYTEA  NOT NULL, -- keyed digest of this row
    PRIMARY KEY (caller, idempotency_key)
);
