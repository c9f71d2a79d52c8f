-- What several replicas on one database need.

-- One row for each topic; it counts the changes, so that whoever remembers the number sees that
-- there was one.
CREATE TABLE changes (
    topic   TEXT   NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);

-- Key-encryption keys, each sealed with another one, or with a key that a key management service
-- keeps: who holds one key of the chain opens the others.
CREATE TABLE key_encryption_keys (
    kek_id     TEXT   NOT NULL,
    wrapped_by TEXT   NOT NULL,
    wrapped    BYTEA  NOT NULL,
    created    BIGINT NOT NULL,
    PRIMARY KEY (kek_id, wrapped_by)
);

-- The audit log: one chain for each process that ever wrote, each record hashed with the one before.
CREATE TABLE audit_records (
    chain  BYTEA  NOT NULL,
    seq    BIGINT NOT NULL,
    time   BIGINT NOT NULL,
    kind   TEXT   NOT NULL,
    record TEXT   NOT NULL,
    hash   BYTEA  NOT NULL,
    PRIMARY KEY (chain, seq)
);
CREATE INDEX audit_records_time ON audit_records (time);
-- The few records that speak of other chains.
CREATE INDEX audit_records_of_chains ON audit_records (chain, seq) WHERE kind IN ('chain-start', 'heads', 'prune');

-- How far each chain is, signed.
CREATE TABLE audit_heads (
    chain     BYTEA  NOT NULL PRIMARY KEY,
    length    BIGINT NOT NULL,
    hash      BYTEA  NOT NULL,
    updated   BIGINT NOT NULL,
    signature TEXT   NOT NULL
);
