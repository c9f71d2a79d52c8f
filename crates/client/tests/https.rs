//! Whose TLS certificate the clients accept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

#[path = "../../collateral/tests/https/mod.rs"]
mod https;

use assay_client::{AdminClient, ClientError};
use https::Identity;

async fn ask(server: &Identity, root: Option<&Identity>) -> Result<(), ClientError> {
    let mut builder = AdminClient::builder(&server.serve("[]").await)?.token("t");
    if let Some(root) = root {
        builder = builder.ca_certificate(root.pem().as_bytes())?;
    }
    builder.build()?.reference_values().await.map(drop)
}

#[tokio::test]
async fn a_given_root_is_accepted_and_only_that() {
    let (right, other) = (Identity::new(1), Identity::new(1));
    ask(&right, Some(&right)).await.unwrap();
    for root in [Some(&other), None] {
        match ask(&right, root).await.unwrap_err() {
            ClientError::Protocol { detail, .. } => {
                assert!(detail.contains("TLS certificate is not accepted"), "{detail}");
            }
            // A machine without system roots has nothing to accept a certificate by.
            ClientError::Configuration(_) if root.is_none() => {}
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let misnamed = Identity::new(2);
    let error = ask(&misnamed, Some(&misnamed)).await.unwrap_err();
    assert!(error.to_string().contains("TLS certificate is not accepted"), "{error}");
}
