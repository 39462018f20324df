-- One row per access token, written before the token leaves. Nodes take blocks of ids from the sequence.
CREATE SEQUENCE issuance_ids INCREMENT BY 1000;
CREATE TABLE issuances (
    id              BIGINT NOT NULL PRIMARY KEY, -- from a block of the node
    tenant          BYTEA  NOT NULL,             -- the organization, 16 bytes
    configuration   BYTEA  NOT NULL,             -- the configuration, 16 bytes
    jti             BYTEA  NOT NULL,             -- the random part of the access token's jti
    replay_key      BYTEA  NOT NULL,             -- digest of (configuration, jti of the assertion)
    issued_at       BIGINT NOT NULL,             -- seconds since 1970
    expires_at      BIGINT NOT NULL,             -- when the access token ends
    remember_until  BIGINT NOT NULL              -- until when the assertion must not be accepted again
);
-- Nodes take blocks of ids, so the order of ids is not that of time: what is oldest, and newest, is found here.
CREATE INDEX issuances_by_time ON issuances (issued_at);

-- Used assertions: its primary key decides a race between nodes.
CREATE TABLE replay_keys (
    replay_key      BYTEA  NOT NULL PRIMARY KEY, -- digest of (configuration, jti of the assertion)
    remember_until  BIGINT NOT NULL              -- when the row may go
);
CREATE INDEX replay_keys_by_end ON replay_keys (remember_until);

-- What happened, per organization: refusals and administrative acts.
CREATE TABLE activity (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       TEXT   NOT NULL, -- the organization
    at              BIGINT NOT NULL, -- seconds since 1970
    kind            TEXT   NOT NULL, -- for example token.refused
    correlation_id  TEXT   NOT NULL, -- ties it to the answer
    actor           TEXT   NOT NULL, -- who
    detail          TEXT   NOT NULL  -- JSON
);
CREATE INDEX activity_by_tenant ON activity (tenant_id, id);
CREATE INDEX activity_by_correlation ON activity (tenant_id, correlation_id);
