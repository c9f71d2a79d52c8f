//! `assay audit`: the audit log of a store, or of an export, without a server.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;
use assay_audit::{
    AuditError, AuditKeys, AuditLog, AuditSettings, Event, ExportLine, ExportReader, Filter, Kind, Outcome,
    Record, Report, SignedHead, export_store, find, prune, public_keys, verify_export, verify_store,
};
use assay_store::Store;
use assay_token::{Jwk, JwkSet};
use assay_types::{Clock as _, UnixTime};
use serde_json::json;

use crate::arguments;
use crate::cli::{AuditCommand, ListArgs, WhichStore};
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::output::{self, Output};

/// The greatest number of records that one listing holds.
const MAX_LISTED: usize = 1_000_000;

pub(crate) async fn run(command: &AuditCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        AuditCommand::List(args) => list(args, out).await,
        AuditCommand::Verify { file: Some(file), keys: Some(keys), heads, .. } => {
            let keys = read_keys(keys)?;
            let earlier = read_heads(heads.as_deref(), &keys)?;
            let open = || {
                let why = |error| AuditError::Io { why: format!("{}: {error}", file.display()) };
                File::open(file).map(BufReader::new).map_err(why)
            };
            say(&verify_export(open, &keys, &earlier)?, out)
        }
        AuditCommand::Verify { keys, heads, store, .. } => {
            let store = open(store).await?;
            let trusted = match keys {
                Some(file) => read_keys(file)?,
                None => AuditKeys::new(&public_keys(&store).await?.keys)?,
            };
            let earlier = read_heads(heads.as_deref(), &trusted)?;
            let report = verify_store(&store, &earlier).await;
            store.close().await;
            say(&report?, out)
        }
        AuditCommand::Export { out: to, store } => export(to, store, true, out).await,
        AuditCommand::Heads { out: to, store } => export(to, store, false, out).await,
        AuditCommand::Keys { store } => {
            let store = open(store).await?;
            let keys = public_keys(&store).await;
            store.close().await;
            output::raw(format!("{}\n", serde_json::to_string_pretty(&keys?)?).as_bytes())?;
            Ok(Exit::Success)
        }
        AuditCommand::Prune { before, store } => {
            let before = time(before)?;
            let store = open(store).await?;
            let pruned = prune_to(&store, before).await;
            store.close().await;
            let pruned = pruned?;
            let text = format!(
                "{} records of {} chains from before {before} were removed; the log says so",
                pruned.records, pruned.chains
            );
            out.both(
                text,
                &json!({ "records": pruned.records, "chains": pruned.chains, "before": before.to_string() }),
            )?;
            Ok(Exit::Success)
        }
    }
}

async fn open(args: &WhichStore) -> anyhow::Result<Store> {
    crate::store::open(&crate::commands::store::settings(args)?, false).await
}

/// A point in time: RFC 3339, or how long ago.
fn time(text: &str) -> anyhow::Result<UnixTime> {
    if let Ok(time) = UnixTime::parse_rfc3339(text) {
        return Ok(time);
    }
    let age = arguments::duration(text)
        .with_context(|| format!("{text:?} is neither a time of RFC 3339 nor an age such as 2h or 7d"))?;
    Ok(SystemClock.now().plus(-age))
}

async fn list(args: &ListArgs, out: Output) -> anyhow::Result<Exit> {
    let kinds = || Kind::ALL.map(Kind::as_str).join(", ");
    let kind = args.kind.as_deref().map(|name| {
        Kind::from_name(name).with_context(|| format!("there is no kind {name:?}; kinds are {}", kinds()))
    });
    let outcome = args.result.as_deref().map(|name| {
        Outcome::from_name(name)
            .with_context(|| format!("{name:?} is no result; results are ok, refused, failed"))
    });
    anyhow::ensure!((1..=MAX_LISTED).contains(&args.limit), "--limit is a number from 1 to {MAX_LISTED}");
    let filter = Filter {
        since: args.since.as_deref().map(time).transpose()?,
        until: args.until.as_deref().map(time).transpose()?,
        kind: kind.transpose()?,
        who: args.who.clone(),
        resource: args.resource.clone(),
        outcome: outcome.transpose()?,
    };
    let store = open(&args.store).await?;
    let found = find(&store, &filter, args.limit).await;
    store.close().await;
    let mut found = found?;
    found.records.reverse();
    for record in &found.records {
        out.line(line(record))?;
    }
    if found.unreadable > 0 {
        output::note(format!("{} records could not be read; see `assay audit verify`", found.unreadable));
    }
    out.value(&found)?;
    Ok(Exit::Success)
}

/// A record in one line.
fn line(record: &Record) -> String {
    let event = &record.event;
    let mut text = format!("{}  {:<11} {:<7}", record.time, event.kind.as_str(), event.outcome.as_str());
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            text.push_str(&format!("  {name}{value}"));
        }
    };
    add("", event.action.as_deref());
    add("", event.resource.as_deref());
    add("", event.target.as_deref());
    for evidence in &event.evidence {
        add("", Some(evidence.tee.as_str()));
        add("evidence ", Some(&evidence.digest.to_string().chars().take(23).collect::<String>()));
    }
    add("", event.status.as_deref());
    add("jti ", event.token.as_deref());
    for policy in &event.policies {
        add("policy ", Some(&format!("{}@{}", policy.id, policy.version)));
    }
    if let Some(values) = &event.values {
        add("values ", Some(&values.names.join(",")));
    }
    add("by ", event.who.as_deref());
    add("from ", event.address.as_deref());
    add("", event.code.as_deref());
    if event.suppressed > 0 {
        add("not recorded before: ", Some(&event.suppressed.to_string()));
    }
    text
}

fn say(report: &Report, out: Output) -> anyhow::Result<Exit> {
    let pruned = if report.pruned > 0 { format!(", {} pruned", report.pruned) } else { String::new() };
    let summary = format!("{} records in {} chains{pruned}", report.records, report.chains);
    for place in &report.broken {
        out.line(format!("✗ {place}\n    to do     {}", place.what.remedy()))?;
    }
    if report.more > 0 {
        out.line(format!("… and {} more", report.more))?;
    }
    out.line(if report.is_sound() {
        format!("✓ the audit log is sound: {summary}")
    } else {
        format!("✗ the audit log is broken in {} places: {summary}", report.count())
    })?;
    out.value(&json!({ "sound": report.is_sound(), "report": report }))?;
    Ok(if report.is_sound() { Exit::Success } else { Exit::Failure })
}

async fn export(to: &Path, args: &WhichStore, records: bool, out: Output) -> anyhow::Result<Exit> {
    let store = open(args).await?;
    let now = SystemClock.now();
    let done = if to == Path::new("-") {
        export_store(&store, std::io::stdout().lock(), now, records).await
    } else {
        let file = new_file(to).with_context(|| format!("writing {}", to.display()))?;
        export_store(&store, BufWriter::new(file), now, records).await
    };
    store.close().await;
    let count = done?;
    if to != Path::new("-") {
        let text = format!("{count} records were written to {}", to.display());
        out.both(text, &json!({ "records": count, "file": to }))?;
    }
    Ok(Exit::Success)
}

/// Readable by its owner only: who did what is nobody else's affair.
fn new_file(path: &Path) -> std::io::Result<impl Write + use<>> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

async fn prune_to(store: &Store, before: UnixTime) -> anyhow::Result<assay_audit::Pruned> {
    let log = begin(store).await?;
    let pruned = prune(store, &log, before, &local_user()).await;
    log.close().await?;
    Ok(pruned?)
}

/// A chain for a command that acts on the store itself. Before it acts: what cannot be recorded is not done.
pub(crate) async fn begin(store: &Store) -> anyhow::Result<AuditLog> {
    let clock = store.clock(std::sync::Arc::new(SystemClock));
    let program = concat!("assay ", env!("CARGO_PKG_VERSION"), " command");
    AuditLog::open(store.clone(), clock, AuditSettings::default(), program).await.context("the audit log")
}

/// Records what a command did, or failed to do, and ends its chain.
pub(crate) async fn end(log: &AuditLog, action: &str, target: &str, done: bool) -> anyhow::Result<()> {
    let outcome = if done { Outcome::Ok } else { Outcome::Failed };
    let event = Event::new(Kind::Admin, outcome).action(action).target(target).who(local_user());
    log.append(event).await?;
    Ok(log.close().await?)
}

fn local_user() -> String {
    format!("local user {}", rustix::process::getuid().as_raw())
}

/// A JWK set, or the keys in an export.
fn read_keys(path: &Path) -> anyhow::Result<AuditKeys> {
    let text = output::read_text(path)?;
    let keys: Vec<Jwk> = match JwkSet::from_json(&text) {
        Ok(set) => set.keys,
        Err(_) => {
            let mut keys = Vec::new();
            each_line(text.as_bytes(), |line| {
                if let ExportLine::Key(key) = line {
                    keys.push(key);
                }
            })
            .with_context(|| format!("{} is neither a JWK set nor an export", path.display()))?;
            keys
        }
    };
    anyhow::ensure!(!keys.is_empty(), "{} holds no key", path.display());
    Ok(AuditKeys::new(&keys)?)
}

/// The heads of an earlier export, each signed by a key of the log.
fn read_heads(path: Option<&Path>, keys: &AuditKeys) -> anyhow::Result<Vec<SignedHead>> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let file = File::open(path).with_context(|| format!("reading {}", path.display()))?;
    let mut heads = Vec::new();
    each_line(BufReader::new(file), |line| {
        if let ExportLine::Head(head) = line {
            heads.push(head);
        }
    })
    .with_context(|| path.display().to_string())?;
    for head in &heads {
        head.verify(keys).map_err(|why| {
            anyhow::anyhow!("{}: the head of chain {}: {why}", path.display(), head.head.chain)
        })?;
    }
    Ok(heads)
}

fn each_line(input: impl BufRead, mut each: impl FnMut(ExportLine)) -> Result<(), AuditError> {
    let mut reader = ExportReader::new(input)?;
    while let Some(line) = reader.next_line()? {
        each(line);
    }
    Ok(())
}
