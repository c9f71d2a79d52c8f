//! The claim tree handed to policy, with Trustee's names.

use assay_types::Claims;
use serde_json::json;

use crate::Evidence;

/// `svn` (text), `launch_digest` (text), `platform_version` (`major`, `minor`: numbers), `debug`
/// (boolean).
pub(crate) fn of(evidence: &Evidence) -> Claims {
    Claims::from_iter([
        ("svn".to_owned(), json!(evidence.svn)),
        ("launch_digest".to_owned(), json!(evidence.launch_digest)),
        (
            "platform_version".to_owned(),
            json!({
                "major": evidence.platform_version.major,
                "minor": evidence.platform_version.minor,
            }),
        ),
        ("debug".to_owned(), json!(evidence.debug)),
    ])
}
