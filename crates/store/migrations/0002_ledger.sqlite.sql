-- One row per access token, written before the token leaves. Append-only: the order of `id` is the order of time.
-- The rows that have not lapsed are the replay memory; it is rebuilt from here at start.
CREATE TABLE issuances (
    id              INTEGER PRIMARY KEY, -- handed out by the one writer
    tenant          BLOB    NOT NULL,    -- the organization, 16 bytes
    configuration   BLOB    NOT NULL,    -- the configuration, 16 bytes
    jti             BLOB    NOT NULL,    -- the random part of the access token's jti
    replay_key      BLOB    NOT NULL,    -- digest of (configuration, jti of the assertion)
    issued_at       INTEGER NOT NULL,    -- seconds since 1970
    expires_at      INTEGER NOT NULL,    -- when the access token ends
    remember_until  INTEGER NOT NULL     -- until when the assertion must not be accepted again
);

-- What happened, per organization: refusals and administrative acts.
CREATE TABLE activity (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id       TEXT    NOT NULL, -- the organization
    at              INTEGER NOT NULL, -- seconds since 1970
    kind            TEXT    NOT NULL, -- for example token.refused
    correlation_id  TEXT    NOT NULL, -- ties it to the answer
    actor           TEXT    NOT NULL, -- who
    detail          TEXT    NOT NULL  -- JSON
);
CREATE INDEX activity_by_tenant ON activity (tenant_id, id);
CREATE INDEX activity_by_correlation ON activity (tenant_id, correlation_id);
