//! What keeps money known over a crash: a file of fixed size, one for each boot of the engine, with
//! the leases, the open reservations and the usage counters. `budget` writes one record before a
//! request is dispatched and one when it settles; after a restart `replay` reads what the former
//! boot left and `ledger` reports it under that boot. The space is taken at the start, so that a
//! full disk refuses leases instead of losing money; the page cache survives a kill of the process.

mod error;
mod layout;
mod replay;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};

pub use self::error::JournalError;
use self::layout::{
    CONTACT_AT, FILE_BYTES, HEADER_BYTES, LEASE_NAMES_BYTES, MAGIC, RECORD_BYTES,
    USAGE_NAMES_BYTES, Writer, charge_at, lease_names_at, lease_numbers_at, usage_names_at,
    usage_numbers_at,
};
pub use self::replay::{Recovered, RecoveredLease, RecoveredUsage};
use crate::lease::Numbers;
use crate::limits::OLD_JOURNALS;

const EXTENSION: &str = "journal";

/// The journal of this boot. All methods take `&self`: each slot has one owner, the file is shared.
#[derive(Debug, Default)]
pub struct Journal {
    /// Absent where the journal could not be opened; `refused` says why.
    file: OnceLock<File>,
    path: PathBuf,
    /// Why there was no journal at the start.
    refused: Option<String>,
    /// Whose journal is made once former boots have been reported; absent where nothing waits.
    awaited: Option<[String; 2]>,
    broken: OnceLock<String>,
    contacted: OnceLock<()>,
    /// Held as long as the journal: one engine a folder.
    #[expect(dead_code, reason = "a guard: it unlocks when it is dropped")]
    lock: Option<File>,
}

impl Journal {
    /// Takes the folder, makes this boot's file and reads what former boots left to be reported.
    /// Where that fails, the journal is `broken` from the start: enforced Budgets refuse and say why.
    #[must_use]
    pub fn open(folder: &Path, sidecar: &str, boot: &str) -> (Self, Vec<Recovered>) {
        let taken = lock(folder).and_then(|lock| Ok((lock, recover(folder, sidecar)?)));
        let (lock, recovered) = match taken {
            Ok(taken) => taken,
            Err(error) => return (Self::unavailable(&error), Vec::new()),
        };
        let count = recovered.len();
        let path = folder.join(format!("{boot}.{EXTENSION}"));
        let journal = if count < OLD_JOURNALS {
            match create(&path, sidecar, boot) {
                Ok(file) => Self { file: OnceLock::from(file), path, ..Self::default() },
                Err(error) => Self::unavailable(&error),
            }
        } else {
            let full = JournalError::Unreported { path: folder.to_owned(), count };
            let awaited = Some([sidecar.to_owned(), boot.to_owned()]);
            Self { path, awaited, ..Self::unavailable(&full) }
        };
        (Self { lock: Some(lock), ..journal }, recovered)
    }

    /// Makes the journal that was refused at the start because too many waited, once only `waiting`
    /// do. True: it is new and empty, what is known must be entered.
    pub fn reopen(&self, waiting: usize) -> bool {
        let Some([sidecar, boot]) = &self.awaited else { return false };
        if waiting >= OLD_JOURNALS || self.file.get().is_some() || self.broken.get().is_some() {
            return false;
        }
        let made = match create(&self.path, sidecar, boot) {
            Ok(file) => self.file.set(file).is_ok(),
            Err(error) => {
                let _first = self.broken.set(error.to_string());
                false
            }
        };
        // The hub has been asked under this boot already. A failure breaks the journal.
        made && self.put(&[1], CONTACT_AT).is_ok()
    }

    /// A journal that never worked.
    #[must_use]
    pub fn unavailable(error: &JournalError) -> Self {
        Self { refused: Some(error.to_string()), ..Self::default() }
    }

    /// Why the journal stopped working, if it did: nothing more may be reserved then.
    #[must_use]
    pub fn broken(&self) -> Option<&str> {
        let refused = || self.refused.as_ref().filter(|_| self.file.get().is_none());
        self.broken.get().or_else(refused).map(String::as_str)
    }

    /// Enters that the hub is about to be asked: from then on it may hold leases for this boot.
    pub fn note_contact(&self) {
        if self.contacted.set(()).is_ok() {
            // A failure breaks the journal, and then no lease is taken.
            let _broken = self.put(&[1], CONTACT_AT);
        }
    }

    /// Removes the file: everything in it has been reported.
    pub fn retire(&self) {
        if self.file.get().is_none() {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            // Replayed and reported once more at the next start, which changes nothing.
            let _first = self.broken.set(format!("{}: {error}", self.path.display()));
        }
    }

    /// Enters a lease before anything is reserved on it. `sequence` orders it before its charges.
    ///
    /// # Errors
    /// The names do not fit, or the file cannot be written: the lease must not be used.
    pub fn put_lease(
        &self,
        slot: u16,
        sequence: u64,
        names: LeaseNames<'_>,
        numbers: Numbers,
        until_boot_ms: u64,
    ) -> Result<(), JournalError> {
        let mut writer = Writer::<LEASE_NAMES_BYTES>::new();
        writer.word(sequence).text(names.id).text(names.account).text(names.window);
        let Some(record) = writer.seal(lease_names_at(slot)) else {
            return Err(JournalError::TooLong(names.account.to_owned()));
        };
        self.put_numbers(slot, 0, sequence, [sequence, until_boot_ms], numbers)?;
        self.write(&record, lease_names_at(slot))
    }

    /// Brings a lease's numbers up to date: charges settled up to `sequence` are in them.
    /// `turn` counts up within the lease, `sequence` rises with every call; until `until_boot_ms` the
    /// next boot may go on with what is free, 0: it may not.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put_numbers(
        &self,
        slot: u16,
        turn: u64,
        generation: u64,
        [sequence, until_boot_ms]: [u64; 2],
        numbers: Numbers,
    ) -> Result<(), JournalError> {
        let Numbers { granted, returned, spent, unconfirmed } = numbers;
        let at = lease_numbers_at(slot, turn);
        let words = [generation, sequence, granted, returned, spent, unconfirmed, until_boot_ms];
        self.put(&words, at)
    }

    /// Frees a lease's slot: the hub has its last numbers.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn drop_lease(&self, slot: u16) -> Result<(), JournalError> {
        self.write(&[0; LEASE_NAMES_BYTES], lease_names_at(slot))
    }

    /// Enters a reservation, before its request is dispatched.
    ///
    /// # Errors
    /// The file cannot be written: the request must not be dispatched.
    pub fn open_charge(
        &self,
        slot: u16,
        sequence: u64,
        amount: u64,
        leases: &[u16],
    ) -> Result<(), JournalError> {
        let mut writer = Writer::<RECORD_BYTES>::new();
        writer.word(sequence).word(amount).word(leases.len() as u64);
        for lease in leases {
            writer.half(*lease);
        }
        self.seal_and_write(&writer, charge_at(slot, 0))
    }

    /// Enters what an open reservation has grown to. `turn` counts up from 1 within the charge.
    ///
    /// # Errors
    /// The file cannot be written: the growth must not be used.
    pub fn grow_charge(
        &self,
        slot: u16,
        sequence: u64,
        turn: u64,
        amount: u64,
    ) -> Result<(), JournalError> {
        let part = if turn.is_multiple_of(2) { 1 } else { 2 };
        self.put(&[sequence, turn, amount], charge_at(slot, part))
    }

    /// Ends a reservation. `settled` orders it against the leases' numbers.
    ///
    /// # Errors
    /// The file cannot be written: after a crash the reservation counts as unconfirmed.
    pub fn settle_charge(
        &self,
        slot: u16,
        sequence: u64,
        settled: u64,
        spent: u64,
        unconfirmed: u64,
    ) -> Result<(), JournalError> {
        self.put(&[sequence, settled, spent, unconfirmed], charge_at(slot, 3))
    }

    /// Names a usage tuple's slot.
    ///
    /// # Errors
    /// The names do not fit, or the file cannot be written.
    pub fn put_usage_names(&self, slot: u16, names: [&str; 6]) -> Result<(), JournalError> {
        let mut writer = Writer::<USAGE_NAMES_BYTES>::new();
        for name in names {
            writer.text(name);
        }
        let at = usage_names_at(slot);
        match writer.seal(at) {
            Some(record) => self.write(&record, at),
            None => Err(JournalError::TooLong(names.join(","))),
        }
    }

    /// A usage tuple's totals: requests, input tokens, output tokens, cost, unconfirmed. `turn` counts up.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put_usage(&self, slot: u16, turn: u64, totals: [u64; 5]) -> Result<(), JournalError> {
        let [requests, input_tokens, output_tokens, cost, unconfirmed] = totals;
        let words = [turn, requests, input_tokens, output_tokens, cost, unconfirmed];
        self.put(&words, usage_numbers_at(slot, turn))
    }

    fn put(&self, words: &[u64], at: usize) -> Result<(), JournalError> {
        let mut writer = Writer::<RECORD_BYTES>::new();
        for word in words {
            writer.word(*word);
        }
        self.seal_and_write(&writer, at)
    }

    fn seal_and_write(&self, writer: &Writer<RECORD_BYTES>, at: usize) -> Result<(), JournalError> {
        let sealed = writer.seal(at);
        let record = sealed.ok_or_else(|| JournalError::TooLong("of a record".to_owned()))?;
        self.write(&record, at)
    }

    /// One pwrite. A failure is remembered: from then on nothing is reserved.
    fn write(&self, record: &[u8], at: usize) -> Result<(), JournalError> {
        let written = match (self.file.get(), self.broken.get()) {
            (Some(file), None) => file.write_all_at(record, at as u64),
            // It never was one: `broken` says why already, and may be over one day.
            (None, _) => return Err(JournalError::NoFile(self.path.clone())),
            (_, reason) => Err(io::Error::other(reason.cloned().unwrap_or_default())),
        };
        written.map_err(|source| {
            let error = JournalError::File { path: self.path.clone(), source };
            let _first = self.broken.set(error.to_string());
            error
        })
    }
}

/// How a lease is called.
#[derive(Debug, Clone, Copy)]
pub struct LeaseNames<'a> {
    /// The lease.
    pub id: &'a str,
    /// The account it belongs to.
    pub account: &'a str,
    /// The window's key; empty: not known yet.
    pub window: &'a str,
}

fn create(path: &Path, sidecar: &str, boot: &str) -> Result<File, JournalError> {
    let file = private().create_new(true).open(path).map_err(at(path))?;
    prepare(file, path, sidecar, boot).inspect_err(|_| {
        // What was just made holds nothing; a file that stays is read as never used.
        let _removed = fs::remove_file(path);
    })
}

/// Takes the space, then writes the header: a file without one was never used.
fn prepare(file: File, path: &Path, sidecar: &str, boot: &str) -> Result<File, JournalError> {
    let at = at(path);
    fallocate(&file, FallocateFlags::empty(), 0, FILE_BYTES as u64)
        .map_err(|errno| at(errno.into()))?;
    let header = Writer::<HEADER_BYTES>::new()
        .word(MAGIC)
        .word(FILE_BYTES as u64)
        .text(sidecar)
        .text(boot)
        .seal(0)
        .ok_or_else(|| JournalError::TooLong(sidecar.to_owned()))?;
    file.write_all_at(&header, 0).map_err(at)?;
    Ok(file)
}

/// One engine a folder, as long as the file is open.
fn lock(folder: &Path) -> Result<File, JournalError> {
    fs::create_dir_all(folder).map_err(at(folder))?;
    let path = folder.join("journal.lock");
    let file = private().create(true).open(&path).map_err(at(&path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| JournalError::InUse(folder.to_owned()))?;
    Ok(file)
}

fn at(path: &Path) -> impl Fn(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::File { path: path.clone(), source }
}

/// Reads the journals of former boots, oldest first, and removes those that hold nothing.
fn recover(folder: &Path, sidecar: &str) -> Result<Vec<Recovered>, JournalError> {
    let failed = at(folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(&failed)? {
        let path = entry.map_err(&failed)?.path();
        if path.extension().is_some_and(|it| it == EXTENSION) {
            let changed = fs::metadata(&path).and_then(|it| it.modified()).map_err(&failed)?;
            found.push((changed, path));
        }
    }
    found.sort();
    let mut recovered = Vec::new();
    for (_, path) in found {
        let bytes = fs::read(&path).map_err(&failed)?;
        match replay::read(&bytes, sidecar, path) {
            replay::Content::Something(content) => recovered.push(content),
            replay::Content::Nothing(content) => content.discard(),
            replay::Content::Foreign => {}
        }
    }
    while recovered.len() >= OLD_JOURNALS {
        // Of a start that spent nothing only the hub's expiry is lost: what it was never told it
        // held counts as unconfirmed there.
        let Some(empty) = recovered.iter().position(Recovered::is_empty) else { break };
        recovered.remove(empty).discard();
    }
    Ok(recovered)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::path::Path;
    use std::sync::OnceLock;

    use super::{Journal, JournalError, prepare};
    use crate::lease::Numbers;

    /// A file on which every write fails for want of space.
    fn full() -> Journal {
        let file = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        Journal { file: OnceLock::from(file), path: "/dev/full".into(), ..Journal::default() }
    }

    #[test]
    fn without_space_there_is_no_journal() {
        let file = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        let error = prepare(file, Path::new("/dev/full"), "one", "boot").unwrap_err();
        assert!(matches!(error, JournalError::File { .. }));
        assert!(error.to_string().contains("/dev/full"), "{error}");
    }

    #[test]
    fn a_failed_write_breaks_the_journal_for_good_and_says_why() {
        let journal = full();
        assert!(journal.broken().is_none());
        assert!(journal.open_charge(0, 1, 10, &[0]).is_err());
        let reason = journal.broken().unwrap().to_owned();
        assert!(reason.contains("/dev/full") && reason.contains("space"), "{reason}");
        assert!(journal.put_numbers(0, 0, 1, [1, 0], Numbers::default()).is_err());
        assert_eq!(journal.broken(), Some(reason.as_str()), "the first reason stays");
    }
}
