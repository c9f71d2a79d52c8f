//! Finds every broken place of a log. No I/O: it is fed records and heads.

use std::collections::BTreeMap;

use assay_store::AuditRow;

use crate::expectations::OfChain;
use crate::record::{BEFORE_THE_FIRST, Outline, hash};
use crate::{AuditKeys, Break, ChainId, Expectations, RecordHash, Report, SignedHead};

/// The chain whose records are being read.
struct Current {
    chain: ChainId,
    /// The first record that is there.
    first: u64,
    /// The number that comes next.
    next: u64,
    /// The hash of the record before; `None` after a gap.
    previous: Option<RecordHash>,
}

/// Takes the records of a log, chain by chain and in their order, and says what is broken.
///
/// Feed it all records ordered by chain and number, after [`Expectations`] has seen those of
/// [`Kind::OF_CHAINS`](crate::Kind::OF_CHAINS). Its memory grows with the number of chains.
pub struct Verifier<'a> {
    keys: &'a AuditKeys,
    heads: BTreeMap<ChainId, SignedHead>,
    expected: Expectations,
    current: Option<Current>,
    last_chain: Option<ChainId>,
    report: Report,
}

impl<'a> Verifier<'a> {
    /// With the keys that are trusted to sign heads, the heads that are there, and what must be found.
    pub fn new(keys: &'a AuditKeys, heads: Vec<SignedHead>, expected: Expectations) -> Self {
        let mut report = Report::default();
        let mut by_chain = BTreeMap::new();
        for head in heads {
            let chain = head.head.chain;
            if by_chain.insert(chain, head).is_some() {
                report.note(Break::OutOfOrder, chain, (0, 0), "its head is there twice");
            }
        }
        Verifier { keys, heads: by_chain, expected, current: None, last_chain: None, report }
    }

    /// Takes the next record.
    pub fn record(&mut self, row: &AuditRow) {
        self.report.records = self.report.records.saturating_add(1);
        let chain = ChainId::new(row.chain);
        let mut current = match self.current.take() {
            Some(current) if current.chain == chain => current,
            other => {
                self.end_chain(other);
                if self.last_chain.is_some_and(|last| chain <= last) {
                    let detail = "the records of its chain do not stand together, or chains are not in order";
                    self.report.note(Break::OutOfOrder, chain, (row.seq, row.seq), detail);
                    return;
                }
                self.begin_chain(chain, row.seq)
            }
        };
        if row.seq < current.next {
            self.report.note(Break::OutOfOrder, chain, (row.seq, row.seq), "it stands twice, or too late");
            self.current = Some(current);
            return;
        }
        if row.seq > current.next {
            self.report.note(Break::Missing, chain, (current.next, row.seq.saturating_sub(1)), "");
            current.previous = None;
        }
        self.content(row, current.previous.as_ref());
        self.compare(chain, row);
        current.previous = Some(RecordHash::new(row.hash));
        current.next = row.seq.saturating_add(1);
        self.current = Some(current);
    }

    /// Says what was found.
    pub fn finish(mut self) -> Report {
        let last = self.current.take();
        self.end_chain(last);
        // Heads without records, then chains of which only others know.
        for (chain, head) in std::mem::take(&mut self.heads) {
            self.report.chains = self.report.chains.saturating_add(1);
            let known = self.expected.chains.remove(&chain).unwrap_or_default();
            self.head(&head);
            let length = head.head.length;
            if known.cuts.get(&length) != Some(&head.head.hash) {
                let first = known.pruned().min(length.saturating_sub(1));
                self.report.note(
                    Break::Missing,
                    chain,
                    (first, length.saturating_sub(1)),
                    "only the head is there",
                );
            }
            self.report.pruned = self.report.pruned.saturating_add(known.pruned());
            self.rest(chain, &known, known.pruned(), length);
        }
        for (chain, known) in std::mem::take(&mut self.expected.chains) {
            let pruned = known.pruned();
            self.report.pruned = self.report.pruned.saturating_add(pruned);
            let longest = known.quoted.last_key_value();
            if let Some((length, sources)) = longest.filter(|(length, _)| **length > pruned) {
                let source = sources.first().map_or_else(String::new, |one| one.source.clone());
                self.report.note(Break::ChainMissing, chain, (pruned, length.saturating_sub(1)), source);
            }
        }
        self.report
    }

    fn begin_chain(&mut self, chain: ChainId, first: u64) -> Current {
        self.last_chain = Some(chain);
        self.report.chains = self.report.chains.saturating_add(1);
        if first == 0 {
            return Current { chain, first, next: 0, previous: Some(BEFORE_THE_FIRST) };
        }
        let cut = self.expected.chains.get(&chain).and_then(|known| known.cuts.get(&first)).copied();
        match cut {
            Some(hash) => {
                self.report.pruned = self.report.pruned.saturating_add(first);
                Current { chain, first, next: first, previous: Some(hash) }
            }
            // Its owner announced that more goes, and was cut short: what is left hangs together and ends in
            // the hash that he named.
            None if self.expected.chains.get(&chain).is_some_and(|known| known.pruned() > first) => {
                self.report.pruned = self.report.pruned.saturating_add(first);
                Current { chain, first, next: first, previous: None }
            }
            // The gap is found with the first record.
            None => Current { chain, first: 0, next: 0, previous: None },
        }
    }

    /// What a record says against what stands beside it and came before it.
    fn content(&mut self, row: &AuditRow, previous: Option<&RecordHash>) {
        let mut wrong = Vec::new();
        match Outline::read(&row.record) {
            Ok(outline) => {
                let columns = [
                    ("its chain", outline.chain.as_bytes() != &row.chain),
                    ("its number", outline.seq != row.seq),
                    ("its time", outline.time != row.time),
                    ("its kind", outline.event.kind != row.kind),
                ];
                wrong.extend(
                    columns
                        .into_iter()
                        .filter(|(_, differs)| *differs)
                        .map(|(name, _)| format!("{name} in the record and beside it differ")),
                );
            }
            Err(why) => wrong.push(why),
        }
        if let Some(previous) = previous {
            let holds = hash(previous, &row.record).is_ok_and(|hash| hash.as_bytes() == &row.hash);
            if !holds {
                wrong.push("its hash does not follow from it and the record before".to_owned());
            }
        }
        if !wrong.is_empty() {
            self.report.note(Break::Altered, ChainId::new(row.chain), (row.seq, row.seq), wrong.join("; "));
        }
    }

    /// What others say of this place.
    fn compare(&mut self, chain: ChainId, row: &AuditRow) {
        let Some(known) = self.expected.chains.get_mut(&chain) else { return };
        let Some(quotes) = known.quoted.remove(&row.seq.saturating_add(1)) else { return };
        for quote in quotes.iter().filter(|quote| quote.hash.as_bytes() != &row.hash) {
            let detail = format!("another hash was {}", quote.source);
            self.report.note(Break::Rewritten, chain, (row.seq, row.seq), detail);
        }
    }

    fn end_chain(&mut self, ended: Option<Current>) {
        let Some(Current { chain, first, next, previous }) = ended else { return };
        let last = next.saturating_sub(1);
        let mut length = next;
        match self.heads.remove(&chain) {
            None => self.report.note(Break::HeadMissing, chain, (last, last), ""),
            Some(head) => {
                self.head(&head);
                if head.head.length > next {
                    length = head.head.length;
                    let detail = "removed from the end: the head knows of them";
                    self.report.note(Break::Missing, chain, (next, length.saturating_sub(1)), detail);
                } else if head.head.length < next {
                    self.report.note(Break::BeyondHead, chain, (head.head.length, last), "");
                } else if previous != Some(head.head.hash) {
                    self.report.note(Break::HeadMismatch, chain, (last, last), "");
                }
            }
        }
        let known = self.expected.chains.remove(&chain).unwrap_or_default();
        self.rest(chain, &known, first, length);
    }

    fn head(&mut self, head: &SignedHead) {
        if let Err(why) = head.verify(self.keys) {
            let last = head.head.length.saturating_sub(1);
            self.report.note(Break::HeadForged, head.head.chain, (last, last), why);
        }
    }

    /// The quotes that no record answered: of pruned records, or beyond the end of the chain.
    fn rest(&mut self, chain: ChainId, known: &OfChain, first: u64, length: u64) {
        for (quoted, sources) in &known.quoted {
            let last = quoted.saturating_sub(1);
            for source in sources {
                if *quoted > length {
                    let detail = format!("more records were {}", source.source);
                    self.report.note(Break::Missing, chain, (length, last), detail);
                } else if *quoted == first && known.cuts.get(quoted).is_some_and(|cut| *cut != source.hash) {
                    let detail = format!("another hash was {}", source.source);
                    self.report.note(Break::Rewritten, chain, (last, last), detail);
                }
            }
        }
    }
}
