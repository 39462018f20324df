-- Keyed digests where there were none. Rows that are older than this get theirs from the program, once, when it starts
-- with the master key; until then, and for ever after, a row without one is not believed.

-- The place of a version in the order in which the organization's changes were applied, from 1.
ALTER TABLE versions ADD COLUMN position BIGINT;
-- Keyed digest of the version and its place.
ALTER TABLE versions ADD COLUMN mac BYTEA;

-- How many changes of an organization have been applied: what is older than the newest of them is noticed.
CREATE TABLE version_heads (
    tenant_id  TEXT   NOT NULL PRIMARY KEY, -- the organization
    applied    BIGINT NOT NULL,             -- how many changes were applied; the place of the newest version
    mac        BYTEA  NOT NULL              -- keyed digest of this row
);

-- Keyed digest of the row.
ALTER TABLE registered_keys ADD COLUMN mac BYTEA;
-- Keyed digest of the row.
ALTER TABLE signing_keys ADD COLUMN mac BYTEA;
-- Keyed digest of the row; erased when the token is revoked, so that no revocation can be taken back by hand.
ALTER TABLE api_tokens ADD COLUMN mac BYTEA;
-- Keyed digest of the row.
ALTER TABLE idempotent_answers ADD COLUMN mac BYTEA;
