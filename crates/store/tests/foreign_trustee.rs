//! Trustee's stores, written here as Trustee writes them, and read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use assay_store::foreign::trustee::{MAX_VALUE_LEN, Namespace, Place, PostgresPlace, file_name_of};
use assay_store::foreign::{Entry, EntryError, ForeignError};
use assay_types::SecretBytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

fn secret(bytes: &[u8]) -> Result<SecretBytes, EntryError> {
    Ok(SecretBytes::new(bytes.to_vec()))
}

fn entry(key: &str, value: Result<SecretBytes, EntryError>) -> Entry {
    Entry { key: key.to_owned(), value }
}

async fn resources(place: &Place) -> Vec<Entry> {
    place.read(Namespace::Resources).await.unwrap()
}

fn store(folder: &Path, namespace: Namespace, key: &str, value: &[u8]) {
    let folder = folder.join(namespace.as_str());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(file_name_of(key)), value).unwrap();
}

#[tokio::test]
async fn a_folder_of_files_is_read_by_namespace() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path(), Namespace::Resources, "default/key/2", b"two");
    store(dir.path(), Namespace::Resources, "default/key/1", &[0, 255, 10]);
    store(dir.path(), Namespace::KeyBroker, "resource-policy.rego", b"package policy");
    let place = Place::LocalFs(dir.path().to_owned());
    let expected = [entry("default/key/1", secret(&[0, 255, 10])), entry("default/key/2", secret(b"two"))];
    assert_eq!(resources(&place).await, expected);
    let policy = place.read(Namespace::KeyBroker).await.unwrap();
    assert_eq!(policy, [entry("resource-policy.rego", secret(b"package policy"))]);
    // A namespace that is not there has nothing in it; a store that is not there is an error.
    assert_eq!(place.read(Namespace::ReferenceValues).await.unwrap(), []);
    let missing = Place::LocalFs(dir.path().join("nowhere"));
    let error = missing.read(Namespace::Resources).await.unwrap_err();
    assert!(matches!(error, ForeignError::NotThere { .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_value_stands_beside_its_reason_and_spoils_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("shadow"), "root secret").unwrap();
    store(dir.path(), Namespace::Resources, "a/good/1", b"good");
    let folder = dir.path().join("repository");
    fs::create_dir(folder.join("a_folder")).unwrap();
    symlink(outside.path().join("shadow"), folder.join("b_link_out")).unwrap();
    symlink("../../outside", folder.join("c_link_up")).unwrap();
    symlink(file_name_of("a/good/1"), folder.join("d_link_within")).unwrap();
    symlink("nothing", folder.join("e_dangling")).unwrap();
    fs::write(folder.join("f name"), "x").unwrap();
    fs::File::create(folder.join("g_huge")).unwrap().set_len(MAX_VALUE_LEN as u64 + 1).unwrap();
    fs::File::create(folder.join("h_full")).unwrap().set_len(MAX_VALUE_LEN as u64).unwrap();
    let pipe = folder.join("i_pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());

    let found = resources(&Place::LocalFs(dir.path().to_owned())).await;
    let keys: Vec<&str> = found.iter().map(|entry| entry.key.as_str()).collect();
    let expected = [
        "a/good/1",
        "a_folder",
        "b_link_out",
        "c_link_up",
        "d_link_within",
        "e_dangling",
        "f name",
        "g_huge",
        "h_full",
        "i_pipe",
    ];
    assert_eq!(keys, expected);
    assert_eq!(found[0].value, secret(b"good"));
    assert_eq!(found[1].value, Err(EntryError::NotAFile));
    assert_eq!(found[2].value, Err(EntryError::LeavesFolder));
    assert_eq!(found[3].value, Err(EntryError::LeavesFolder));
    assert_eq!(found[4].value, secret(b"good"));
    assert!(matches!(found[5].value, Err(EntryError::NotReadable { .. })));
    assert!(matches!(found[6].value, Err(EntryError::Key { .. })));
    assert_eq!(found[7].value, Err(EntryError::TooLarge { limit: MAX_VALUE_LEN }));
    assert_eq!(found[8].value.as_ref().unwrap().expose().len(), MAX_VALUE_LEN);
    assert_eq!(found[9].value, Err(EntryError::NotAFile));
}

#[tokio::test]
async fn a_namespace_that_is_a_link_out_of_the_store_is_refused() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("a"), "secret").unwrap();
    symlink(outside.path(), dir.path().join("repository")).unwrap();
    let error = Place::LocalFs(dir.path().to_owned()).read(Namespace::Resources).await.unwrap_err();
    assert!(error.to_string().contains("leads out"), "{error}");
    // The store itself may be reached through a link: its owner named it.
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("repository")).unwrap();
    symlink(outside.path(), place.path().join("store")).unwrap();
    assert_eq!(resources(&Place::LocalFs(place.path().join("store"))).await, []);
}

#[tokio::test]
async fn the_repository_of_earlier_versions_is_three_folders_deep() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir_all(outside.path().join("t")).unwrap();
    fs::write(outside.path().join("t/x"), "secret").unwrap();
    fs::create_dir_all(dir.path().join("default/key")).unwrap();
    fs::create_dir_all(dir.path().join("default/empty")).unwrap();
    fs::write(dir.path().join("default/key/1"), "one").unwrap();
    fs::create_dir_all(dir.path().join("default/key/deeper")).unwrap();
    fs::write(dir.path().join("default/stray"), "x").unwrap();
    symlink(outside.path(), dir.path().join("link")).unwrap();
    let place = Place::Repository(dir.path().to_owned());
    let found = resources(&place).await;
    let keys: Vec<&str> = found.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(keys, ["default/key/1", "default/key/deeper", "default/stray", "link"]);
    assert_eq!(found[0].value, secret(b"one"));
    assert_eq!(found[1].value, Err(EntryError::NotAFile));
    assert!(matches!(found[2].value, Err(EntryError::Key { .. })));
    assert_eq!(found[3].value, Err(EntryError::LeavesFolder));
    assert_eq!(place.read(Namespace::KeyBroker).await.unwrap(), []);
}

#[tokio::test]
async fn a_file_for_each_namespace_is_read_by_either_name() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::LocalJson(dir.path().to_owned());
    assert_eq!(resources(&place).await, []);
    let text = format!("{{\"default/key/1\":\"{}\",\"b\":\"*\"}}", URL_SAFE.encode([0xfb, 0xff, 0]));
    fs::write(dir.path().join("repository"), &text).unwrap();
    let expected = [entry("b", Err(EntryError::Base64)), entry("default/key/1", secret(&[0xfb, 0xff, 0]))];
    assert_eq!(resources(&place).await, expected);
    fs::write(dir.path().join("repository.json"), "{}").unwrap();
    assert_eq!(resources(&place).await, []);
    fs::write(dir.path().join("repository.json"), "{\"a\":").unwrap();
    let error = place.read(Namespace::Resources).await.unwrap_err();
    assert!(error.to_string().contains("the text ends early"), "{error}");
    symlink("repository", dir.path().join("kbs.json")).unwrap();
    let error = place.read(Namespace::KeyBroker).await.unwrap_err();
    assert!(error.to_string().contains("link"), "{error}");
    let missing = Place::LocalJson(dir.path().join("nowhere"));
    assert!(matches!(missing.read(Namespace::Resources).await, Err(ForeignError::NotThere { .. })));
}

/// The throw-away cluster that the test script starts, as a superuser's URL.
fn cluster() -> Option<(sqlx::postgres::PgConnectOptions, String)> {
    let Ok(url) = std::env::var("ASSAY_TEST_POSTGRES") else {
        println!("skipped: no PostgreSQL server; scripts/test_postgres.py run COMMAND starts one");
        return None;
    };
    let file = std::env::var("ASSAY_TEST_POSTGRES_PASSWORD_FILE").unwrap();
    let password = fs::read_to_string(file).unwrap().trim().to_owned();
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    Some((options.password(&password), password))
}

#[tokio::test]
async fn tables_of_a_database_are_read_in_a_snapshot() {
    use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
    let Some((options, password)) = cluster() else { return };
    let name = format!("trustee_{}", std::process::id());
    let mut superuser = options.connect().await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut superuser).await.unwrap();
    let mut inside = options.clone().database(&name).connect().await.unwrap();
    for table in ["repository", "kbs", "reference_value"] {
        let text = format!("CREATE TABLE {table} (key TEXT PRIMARY KEY, value BYTEA)");
        sqlx::query(AssertSqlSafe(text)).execute(&mut inside).await.unwrap();
    }
    let huge = vec![7_u8; MAX_VALUE_LEN + 1];
    let rows: [(&str, Option<&[u8]>); 5] = [
        ("default/key/1", Some(&[0, 255, 39])),
        ("default/key/empty", Some(&[])),
        ("default/key/null", None),
        ("default/key/o'clock", Some(b"x")),
        ("default/key/z-huge", Some(&huge)),
    ];
    for (key, value) in rows {
        let insert = sqlx::query("INSERT INTO repository (key, value) VALUES ($1, $2)");
        insert.bind(key).bind(value).execute(&mut inside).await.unwrap();
    }
    let place = |user: &str, database: &str| {
        Place::Postgres(PostgresPlace {
            host: options
                .get_socket()
                .map_or_else(|| options.get_host().to_owned(), |socket| socket.display().to_string()),
            port: options.get_port(),
            database: database.to_owned(),
            user: user.to_owned(),
            password: Some(password.clone().into()),
            root_certificate: None,
        })
    };
    let trustee = place(options.get_username(), &name);
    let found = resources(&trustee).await;
    let value = |key: &str| found.iter().find(|entry| entry.key == key).unwrap().value.clone();
    assert_eq!(found.len(), 5);
    assert_eq!(value("default/key/1"), secret(&[0, 255, 39]));
    assert_eq!(value("default/key/empty"), secret(&[]));
    assert_eq!(value("default/key/null"), Err(EntryError::Missing));
    assert!(matches!(value("default/key/o'clock"), Err(EntryError::Key { .. })));
    assert_eq!(value("default/key/z-huge"), Err(EntryError::TooLarge { limit: MAX_VALUE_LEN }));
    assert_eq!(trustee.read(Namespace::KeyBroker).await.unwrap(), []);
    // No such table; no such database; a table of another form.
    assert_eq!(trustee.read(Namespace::AttestationPolicies).await.unwrap(), []);
    let nowhere = place(options.get_username(), "no_such_database").read(Namespace::KeyBroker).await;
    assert!(matches!(nowhere, Err(ForeignError::Database { .. })), "{nowhere:?}");
    let other = "DROP TABLE reference_value; CREATE TABLE reference_value (key TEXT, value INTEGER)";
    sqlx::raw_sql(other).execute(&mut inside).await.unwrap();
    let other = trustee.read(Namespace::ReferenceValues).await;
    assert!(matches!(other, Err(ForeignError::Database { .. })), "{other:?}");
    inside.close().await.unwrap();
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name}"))).execute(&mut superuser).await.unwrap();
}
