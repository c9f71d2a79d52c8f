-- The first schema. Applied migrations are never edited: a change is a new file.
-- The types are those of PostgreSQL; SQLite takes any type name and stores what it is given.
-- Times are seconds since 1970-01-01T00:00:00Z.

-- What the store knows about itself: which key-encryption key, and a value sealed with it.
CREATE TABLE meta (
    name  TEXT  NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

-- The highest version ever given to a path. It outlives the resource, so that no version number
-- is given twice and a row of a deleted resource cannot be put back under a new one's number.
CREATE TABLE resource_heads (
    path   TEXT   NOT NULL PRIMARY KEY,
    latest BIGINT NOT NULL
);

-- One row for each version of a resource, sealed with a key of its own.
CREATE TABLE resources (
    path        TEXT   NOT NULL,
    version     BIGINT NOT NULL,
    created     BIGINT NOT NULL,
    size        BIGINT NOT NULL,
    kek_id      TEXT   NOT NULL,
    wrapped_key BYTEA  NOT NULL,
    sealed      BYTEA  NOT NULL,
    PRIMARY KEY (path, version)
);

-- One row for each policy. Without text it is deleted; the version goes on counting.
CREATE TABLE policies (
    kind    TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    version BIGINT NOT NULL,
    text    TEXT,
    digest  TEXT   NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);

-- One row for each version of a reference value; the highest counts. Without value it is the
-- tombstone of a deletion.
CREATE TABLE reference_values (
    id         TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    value      TEXT,
    registered BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    source     TEXT   NOT NULL,
    PRIMARY KEY (id, version)
);

-- Signing and sealing keys, each sealed with a key of its own.
CREATE TABLE keys (
    purpose     TEXT   NOT NULL,
    kid         TEXT   NOT NULL,
    algorithm   TEXT   NOT NULL,
    kek_id      TEXT   NOT NULL,
    wrapped_key BYTEA  NOT NULL,
    sealed      BYTEA  NOT NULL,
    certificate BYTEA,
    created     BIGINT NOT NULL,
    sign_until  BIGINT NOT NULL,
    expires     BIGINT NOT NULL,
    PRIMARY KEY (purpose, kid)
);

-- Answered challenges and the sessions they became.
CREATE TABLE attestations (
    challenge_hash BYTEA  NOT NULL PRIMARY KEY,
    session_hash   BYTEA  NOT NULL UNIQUE,
    jti            TEXT   NOT NULL UNIQUE,
    expires        BIGINT NOT NULL,
    token          TEXT   NOT NULL,
    verdict        TEXT   NOT NULL
);
CREATE INDEX attestations_expires ON attestations (expires);

-- Collateral as the vendors served it. Verifiers check its signatures each time they use it.
CREATE TABLE collateral (
    vendor    TEXT   NOT NULL,
    cache_key TEXT   NOT NULL,
    bytes     BYTEA  NOT NULL,
    fetched   BIGINT NOT NULL,
    origin    TEXT   NOT NULL,
    PRIMARY KEY (vendor, cache_key)
);
