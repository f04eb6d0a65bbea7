//! Reading a former boot's journal: leases with what was settled on them, reservations that were
//! open as unconfirmed, usage counters. Pure over the file's bytes; `journal` finds the files.

use std::fs;
use std::path::PathBuf;

use super::layout::{
    CONTACT_AT, FILE_BYTES, Found, HEADER_BYTES, LEASE_NAMES_BYTES, MAGIC, RECORD_BYTES, Reader,
    USAGE_NAMES_BYTES, USAGE_SLOTS, charge_at, find, lease_names_at, lease_numbers_at,
    usage_names_at, usage_numbers_at,
};
use crate::lease::Numbers;
use crate::limits::{LEASES, OPEN_CHARGES};

/// What a former boot left to be reported.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// The boot to report it under.
    pub boot: String,
    /// Its leases, final.
    pub leases: Vec<RecoveredLease>,
    /// Its usage counters, final.
    pub usage: Vec<RecoveredUsage>,
    /// Every record was whole: no other lease was ever used.
    pub intact: bool,
    path: PathBuf,
}

/// A lease of a former boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredLease {
    /// The hub's name for it, or the holder's own.
    pub id: String,
    /// `namespace/name/limit`.
    pub account: String,
    /// The window's key; empty where it was not known.
    pub window: String,
    /// Reservations that were open are in `unconfirmed`.
    pub numbers: Numbers,
    /// Boot time until which what is free may be used; 0: not at all.
    pub until_boot_ms: u64,
}

/// A usage tuple of a former boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredUsage {
    /// Model, provider, workload, team, key, endpoint.
    pub names: [String; 6],
    /// Requests, input tokens, output tokens, cost, unconfirmed.
    pub totals: [u64; 5],
}

impl Recovered {
    /// Nothing was spent. The hub may still hold leases for that boot whose grant did not arrive.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.leases.is_empty() && self.usage.is_empty()
    }

    /// Removes the file: the hub has answered the report. Best effort: one that stays is reported
    /// once more at the next start, which changes nothing.
    pub fn discard(&self) {
        let _reported_again = fs::remove_file(&self.path);
    }
}

/// What a file turned out to be.
pub(super) enum Content {
    /// A journal with something to report.
    Something(Recovered),
    /// A journal that was never used.
    Nothing(Recovered),
    /// Not ours; left alone. The hub's own expiry covers what it may have held.
    Foreign,
}

/// Reads one file. `sidecar`: whose journals are ours.
pub(super) fn read(file: &[u8], sidecar: &str, path: PathBuf) -> Content {
    let mut recovered = Recovered {
        boot: String::new(),
        leases: Vec::new(),
        usage: Vec::new(),
        intact: true,
        path,
    };
    let boot = match find(file, 0, HEADER_BYTES) {
        Found::Record(mut header) => header_boot(&mut header, sidecar),
        // A kill between taking the space and writing the header.
        Found::Empty => return Content::Nothing(recovered),
        Found::Damaged if file.is_empty() => return Content::Nothing(recovered),
        Found::Damaged => None,
    };
    let Some(boot) = boot.filter(|_| file.len() == FILE_BYTES) else { return Content::Foreign };
    recovered.boot = boot;
    let mut slots = read_leases(file, &mut recovered.intact);
    let open = add_charges(file, &mut slots, &mut recovered.intact);
    recovered.leases = slots.into_iter().flatten().map(|it| it.lease).collect();
    recovered.usage = (0..USAGE_SLOTS).filter_map(|it| read_usage(file, it as u16)).collect();
    if open > 0 {
        // Whose they were died with their calls.
        recovered
            .usage
            .push(RecoveredUsage { names: Default::default(), totals: [0, 0, 0, 0, open] });
    }
    let asked = !matches!(find(file, CONTACT_AT, RECORD_BYTES), Found::Empty);
    if recovered.is_empty() && recovered.intact && !asked {
        Content::Nothing(recovered)
    } else {
        Content::Something(recovered)
    }
}

fn header_boot(header: &mut Reader<'_>, sidecar: &str) -> Option<String> {
    let ours = header.word()? == MAGIC && header.word()? == FILE_BYTES as u64;
    let whose = header.text()?;
    header.text().filter(|_| ours && whose == sidecar)
}

struct Slot {
    lease: RecoveredLease,
    /// When the lease took the slot: older charges belonged to another.
    generation: u64,
    /// Charges settled up to here are in the numbers.
    sequence: u64,
}

fn read_leases(file: &[u8], intact: &mut bool) -> Vec<Option<Slot>> {
    let read = |slot: usize| {
        let slot = u16::try_from(slot).ok()?;
        match find(file, lease_names_at(slot), LEASE_NAMES_BYTES) {
            Found::Record(mut names) => Some(read_lease(file, slot, &mut names)),
            Found::Empty => None,
            Found::Damaged => Some(None),
        }
    };
    (0..LEASES)
        .map(|slot| {
            let lease = read(slot)?;
            *intact &= lease.is_some();
            lease
        })
        .collect()
}

fn read_lease(file: &[u8], slot: u16, names: &mut Reader<'_>) -> Option<Slot> {
    let generation = names.word()?;
    let (id, account, window) = (names.text()?, names.text()?, names.text()?);
    let newest = (0..2)
        .filter_map(|turn| match find(file, lease_numbers_at(slot, turn), RECORD_BYTES) {
            Found::Record(mut record) => read_numbers(&mut record, generation),
            Found::Empty | Found::Damaged => None,
        })
        .max_by_key(|(sequence, ..)| *sequence);
    let (sequence, numbers, until_boot_ms) = newest?;
    let lease = RecoveredLease { id, account, window, numbers, until_boot_ms };
    Some(Slot { lease, generation, sequence })
}

fn read_numbers(record: &mut Reader<'_>, generation: u64) -> Option<(u64, Numbers, u64)> {
    let ours = record.word()? == generation;
    let sequence = record.word()?;
    let numbers = Numbers {
        granted: record.word()?,
        returned: record.word()?,
        spent: record.word()?,
        unconfirmed: record.word()?,
    };
    // Zeros where an older engine wrote it.
    let until_boot_ms = record.word()?;
    ours.then_some((sequence, numbers, until_boot_ms))
}

/// Adds to the leases what is not in their numbers yet; picodollars of the reservations that were open.
fn add_charges(file: &[u8], leases: &mut [Option<Slot>], intact: &mut bool) -> u64 {
    let mut open: u64 = 0;
    for slot in 0..OPEN_CHARGES {
        match find(file, charge_at(slot as u16, 0), RECORD_BYTES) {
            Found::Empty => {}
            Found::Damaged => *intact = false,
            Found::Record(mut opened) => {
                let added = add_charge(file, slot as u16, &mut opened, leases);
                *intact &= added.is_some();
                open = open.saturating_add(added.unwrap_or(0));
            }
        }
    }
    open
}

fn add_charge(
    file: &[u8],
    slot: u16,
    opened: &mut Reader<'_>,
    leases: &mut [Option<Slot>],
) -> Option<u64> {
    let (sequence, amount, count) = (opened.word()?, opened.word()?, opened.word()?);
    let end =
        part(file, slot, 3, sequence).and_then(|mut it| Some((it.word()?, it.word()?, it.word()?)));
    let grown = [1, 2]
        .into_iter()
        .filter_map(|at| {
            part(file, slot, at, sequence).and_then(|mut it| Some((it.word()?, it.word()?)))
        })
        .max();
    let mut open = 0;
    for _ in 0..count {
        let lease = leases.get_mut(usize::from(opened.half()?))?;
        let Some(lease) = lease.as_mut() else { continue };
        let numbers = &mut lease.lease.numbers;
        match end {
            _ if sequence < lease.generation => {}
            Some((settled, _, _)) if settled <= lease.sequence => {}
            Some((_, spent, unconfirmed)) => {
                numbers.spent = numbers.spent.saturating_add(spent);
                numbers.unconfirmed = numbers.unconfirmed.saturating_add(unconfirmed);
            }
            None => {
                let exposed = grown.map_or(amount, |(_, grown)| grown);
                numbers.unconfirmed = numbers.unconfirmed.saturating_add(exposed);
                open = exposed;
            }
        }
    }
    Some(open)
}

/// A part of a charge that belongs to this opening of the slot.
fn part(file: &[u8], slot: u16, part: usize, sequence: u64) -> Option<Reader<'_>> {
    let Found::Record(mut record) = find(file, charge_at(slot, part), RECORD_BYTES) else {
        return None;
    };
    (record.word()? == sequence).then_some(record)
}

fn read_usage(file: &[u8], slot: u16) -> Option<RecoveredUsage> {
    let Found::Record(mut names) = find(file, usage_names_at(slot), USAGE_NAMES_BYTES) else {
        return None;
    };
    let mut read = Vec::with_capacity(6);
    for _ in 0..6 {
        read.push(names.text()?);
    }
    let names = read.try_into().ok()?;
    let newest = (0..2)
        .filter_map(|turn| match find(file, usage_numbers_at(slot, turn), RECORD_BYTES) {
            Found::Record(mut it) => {
                let turn = it.word()?;
                Some((turn, [it.word()?, it.word()?, it.word()?, it.word()?, it.word()?]))
            }
            Found::Empty | Found::Damaged => None,
        })
        .max_by_key(|(turn, _)| *turn);
    newest.map(|(_, totals)| RecoveredUsage { names, totals })
}
