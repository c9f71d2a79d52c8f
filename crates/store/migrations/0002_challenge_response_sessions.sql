-- Sessions of Veraison's challenge-response API: a nonce that waits for evidence, then its result.
-- The status is one of waiting, processing, complete, failed.
CREATE TABLE challenge_response_sessions (
    id_hash       BYTEA  NOT NULL PRIMARY KEY,
    nonce         BYTEA  NOT NULL,
    expires       BIGINT NOT NULL,
    status        TEXT   NOT NULL,
    evidence_type TEXT,
    evidence      BYTEA,
    result        TEXT
);
CREATE INDEX challenge_response_sessions_expires ON challenge_response_sessions (expires);
