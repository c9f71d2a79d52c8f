//! `assay import trustee`: configuration and stored data of Trustee, taken over.
//!
//! Nothing is dropped silently: each key and each stored thing ends as taken, not needed, or refused with a
//! reason and what to do instead. Everything is read and judged before the first thing is written.

mod document;
mod kinds;
mod mapping;
mod places;
mod policies;
mod reference_values;
mod report;
mod resources;
mod rules;
mod settings_file;

use std::collections::HashSet;

use assay_attestation_service::PolicySet;
use assay_policy::PolicyKind;
use assay_reference_values::{CorimSettings, CorimTrust};
use assay_store::Store;
use assay_store::foreign::Entry;
use assay_store::foreign::trustee::Namespace;
use assay_types::{Clock as _, UnixTime};
use zeroize::Zeroizing;

use crate::cli::{ImportCommand, ImportKind, TrusteeArgs};
use crate::clock::SystemClock;
use crate::commands::policy_offline::admission;
use crate::exit::Exit;
use crate::output::{self, Output};
use crate::settings::Settings;
use kinds::{Item, Kind, Plan, Reason};
use mapping::Documents;
use places::{Found, Reach};

pub(crate) async fn run(command: &ImportCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        ImportCommand::Trustee(args) => trustee(args, out).await,
    }
}

async fn trustee(args: &TrusteeArgs, out: Output) -> anyhow::Result<Exit> {
    let documents = Documents::read(&args.config, args.as_config.as_deref(), args.rvps_config.as_deref())?;
    let mut mapping = documents.map()?;
    if let Some(dir) = &args.data_dir {
        let dir = std::path::absolute(dir)?;
        mapping.settings.insert("server.data_dir", dir.display().to_string().into());
    }
    let settings = settings_file::text(&mapping, &args.config);
    let planned = Planned::read(&documents, &reach(args)?, &args.only, SystemClock.now()).await?;
    let kinds = if args.dry_run {
        planned.0.into_iter().map(PlannedKind::untouched).collect()
    } else {
        if let Some(file) = &args.write_config {
            settings_file::write(file, &settings)?;
        }
        let store = open(args).await?;
        let kinds = planned.write(&store, SystemClock.now()).await;
        store.close().await;
        kinds
    };
    let exit = report::print(&mapping, &settings, &kinds, args.dry_run, out)?;
    if args.write_config.is_none() {
        out.line(format!(
            "\nThe configuration for Assay (--write-config FILE writes it):\n\n{}",
            settings.trim_end()
        ))?;
    }
    Ok(exit)
}

fn reach(args: &TrusteeArgs) -> anyhow::Result<Reach> {
    let password = match &args.postgres_password_file {
        Some(file) => {
            Some(Zeroizing::new(output::read_text(file)?.trim_end_matches(['\r', '\n']).to_owned()))
        }
        None => None,
    };
    Ok(Reach {
        root: args.root.clone(),
        postgres_password: password,
        postgres_root_certificate: args.postgres_root_certificate.clone(),
    })
}

/// The store that things are put into; it is made when it is not there. A server may be running on it.
async fn open(args: &TrusteeArgs) -> anyhow::Result<Store> {
    let mut settings = Settings::load(args.into.as_deref())?;
    if let Some(dir) = &args.data_dir {
        settings.server.data_dir.clone_from(dir);
    }
    crate::store::open(&settings, true).await
}

/// All kinds, read and judged.
struct Planned(Vec<PlannedKind>);

struct PlannedKind {
    kind: &'static str,
    from: String,
    content: Content,
}

/// What there is of a kind.
enum Content {
    Resources(Plan<(assay_types::ResourcePath, assay_types::SecretBytes)>),
    Policies(PolicyKind, Plan<assay_policy::Policy>),
    ReferenceValues(Plan<assay_store::NewReferenceValue>),
    /// Nothing can be had of it, or nothing has to be.
    Nothing {
        refused: Vec<Item>,
        failed: Option<Reason>,
    },
}

const KINDS: [(ImportKind, &str, Namespace); 4] = [
    (ImportKind::Resources, "resources", Namespace::Resources),
    (ImportKind::ResourcePolicy, "resource policy", Namespace::KeyBroker),
    (ImportKind::AttestationPolicies, "attestation policies", Namespace::AttestationPolicies),
    (ImportKind::ReferenceValues, "reference values", Namespace::ReferenceValues),
];

impl Planned {
    async fn read(
        documents: &Documents,
        reach: &Reach,
        only: &[ImportKind],
        now: UnixTime,
    ) -> anyhow::Result<Self> {
        let mut planned = Vec::new();
        for (choice, kind, namespace) in KINDS {
            if !only.is_empty() && !only.contains(&choice) {
                continue;
            }
            let (from, content) = match documents.place(namespace, reach) {
                Found::Stays(why) => (why, Content::Nothing { refused: Vec::new(), failed: None }),
                Found::Lost { reason, instead } => {
                    let outcome = kinds::Outcome::Refused(Reason::new(reason, instead));
                    let all = Item { name: format!("all {kind}"), outcome };
                    ("nowhere".to_owned(), Content::Nothing { refused: vec![all], failed: None })
                }
                Found::At(place) => {
                    let content = match place.read(namespace).await {
                        Ok(entries) => judge(namespace, entries, now).await?,
                        Err(error) => {
                            Content::Nothing { refused: Vec::new(), failed: Some(Reason::of(&error)) }
                        }
                    };
                    (place.to_string(), content)
                }
            };
            planned.push(PlannedKind { kind, from, content });
        }
        if only.is_empty() {
            let from = "not taken: they end within minutes, and guests attest anew".to_owned();
            let content = Content::Nothing { refused: Vec::new(), failed: None };
            planned.push(PlannedKind { kind: "sessions", from, content });
        }
        Ok(Planned(planned))
    }

    async fn write(self, store: &Store, now: UnixTime) -> Vec<Kind> {
        let mut kinds = Vec::new();
        for planned in self.0 {
            let (kind, from) = (planned.kind, planned.from.clone());
            let written = planned.write(store, now).await;
            kinds.push(written.unwrap_or_else(|error| Kind {
                kind,
                from,
                items: Vec::new(),
                failed: Some(Reason {
                    code: None,
                    reason: format!("{error:#}"),
                    instead: Some("mend that, and run the command again: what was taken stays as it is"),
                }),
                notes: Vec::new(),
            }));
        }
        kinds
    }
}

async fn judge(namespace: Namespace, entries: Vec<Entry>, now: UnixTime) -> anyhow::Result<Content> {
    Ok(match namespace {
        Namespace::Resources => Content::Resources(resources::plan(entries)),
        Namespace::KeyBroker => policies_of(PolicyKind::Resource, entries).await?,
        Namespace::AttestationPolicies => policies_of(PolicyKind::Attestation, entries).await?,
        Namespace::ReferenceValues => {
            let trust = CorimTrust::new(CorimSettings::default())?;
            Content::ReferenceValues(reference_values::plan(entries, &trust, now))
        }
    })
}

async fn policies_of(kind: PolicyKind, entries: Vec<Entry>) -> anyhow::Result<Content> {
    // Each is tried out in a process of its own.
    if entries.len() > PolicySet::MAX_POLICIES {
        let reason =
            format!("there are {} policies, and {} are the most", entries.len(), PolicySet::MAX_POLICIES);
        let failed = Some(Reason::new(reason, "delete those that are not asked, and run the command again"));
        return Ok(Content::Nothing { refused: Vec::new(), failed });
    }
    Ok(Content::Policies(kind, policies::plan(kind, entries, &admission()?).await?))
}

impl PlannedKind {
    /// As it is with `--dry-run`: what is wanted would be taken.
    fn untouched(self) -> Kind {
        let PlannedKind { kind, from, content } = self;
        let (items, notes, failed) = match content {
            Content::Resources(plan) => with(plan.done(|_| false)),
            Content::Policies(_, plan) => with(plan.done(|_| false)),
            Content::ReferenceValues(plan) => with(plan.done(|_| false)),
            Content::Nothing { refused, failed } => (refused, Vec::new(), failed),
        };
        Kind { kind, from, items, failed, notes }
    }

    async fn write(self, store: &Store, now: UnixTime) -> anyhow::Result<Kind> {
        let PlannedKind { kind, from, content } = self;
        let has = |same: HashSet<String>| move |name: &str| same.contains(name);
        let (items, notes, failed) = match content {
            Content::Resources(plan) => {
                let same = resources::unchanged(store, &plan).await?;
                resources::write(store, &plan, &same, now).await?;
                with(plan.done(has(same)))
            }
            Content::Policies(policy_kind, plan) => {
                let same = policies::unchanged(store, policy_kind, &plan).await?;
                policies::write(store, policy_kind, &plan, &same, now).await?;
                with(plan.done(has(same)))
            }
            Content::ReferenceValues(plan) => {
                let same = reference_values::unchanged(store, &plan).await?;
                reference_values::write(store, &plan, &same, now).await?;
                with(plan.done(has(same)))
            }
            Content::Nothing { refused, failed } => (refused, Vec::new(), failed),
        };
        Ok(Kind { kind, from, items, failed, notes })
    }
}

fn with((items, notes): (Vec<Item>, Vec<String>)) -> (Vec<Item>, Vec<String>, Option<Reason>) {
    (items, notes, None)
}
