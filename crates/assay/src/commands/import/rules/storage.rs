//! `[storage_backend]` and what is stored elsewhere: read by this command, not configured in Assay.

use super::Judge::{NotNeeded, Read, Refused};
use super::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule("storage_backend.storage_type", Read("where what is stored is taken from")),
    Rule("storage_backend.backends.local_fs.dir_path", Read("the folder that it is taken from")),
    Rule("storage_backend.backends.local_json.file_dir_path", Read("the folder that it is taken from")),
    Rule("storage_backend.backends.postgres.host", Read(DATABASE)),
    Rule("storage_backend.backends.postgres.port", Read(DATABASE)),
    Rule("storage_backend.backends.postgres.db", Read(DATABASE)),
    Rule("storage_backend.backends.postgres.username", Read(DATABASE)),
    Rule("storage_backend.backends.postgres.password", Read(DATABASE)),
    Rule(
        "storage_backend.backends.redis.url",
        Refused(
            "Redis is not read here",
            "have Trustee copy to LocalFs: for each key of a namespace, a file; or set everything anew with `assay`",
        ),
    ),
    Rule(
        "session_storage_type",
        NotNeeded(
            "sessions are kept in the store; those of Trustee end within minutes, and guests attest anew",
        ),
    ),
    // Before 2025.
    Rule(
        "policy_engine.policy_path",
        Refused(
            "a policy outside of the store is not taken by itself",
            "`assay policy set resource-policy FILE --kind resource`",
        ),
    ),
];

const DATABASE: &str = "the database that it is taken from; Assay's own is named in [store]";
