//! Kills, torn and foreign files, full disks: what the journal keeps and what it refuses.

use std::fs;
use std::path::PathBuf;

use pointsman_core::budget::{Admission, RefusalCode, Usage, UsageKey};
use pointsman_core::journal::Journal;
use pointsman_core::ledger::farewell;
use pointsman_core::limits::{OLD_JOURNALS, OPEN_CHARGES};

use super::world::{CENT, Folder, Sidecar, World, budget};

const KEY: UsageKey<'static> = UsageKey {
    model: "main/small",
    provider: "openai",
    workload: "support",
    team: "blue",
    key: "",
    endpoint: "chat",
};

/// Reports what the first boot left to the hub, under that boot.
fn say_farewell(world: &mut World) {
    for recovered in &world.one.recovered {
        let request = farewell(&world.one.book.holder().sidecar, recovered);
        world.hub.sync(&request);
        recovered.discard();
    }
}

fn journals(folder: &Folder) -> Vec<PathBuf> {
    let entries = fs::read_dir(&folder.0).unwrap().map(|it| it.unwrap().path());
    entries.filter(|it| it.extension().is_some_and(|it| it == "journal")).collect()
}

#[test]
fn a_kill_loses_nothing_and_open_reservations_are_unconfirmed() {
    let mut world = World::new(100 * CENT);
    world.one.granted(1_000).settle(300);
    let mut stream = world.one.granted(500);
    assert!(stream.top_up(200) && stream.top_up(50));
    let mut retried = world.one.granted(400);
    retried.unconfirmed(100);
    retried.settle(40);
    let call =
        Usage { requests: 1, input_tokens: 10, output_tokens: 20, cost: 300, unconfirmed: 5 };
    world.one.book.usage().add(&KEY, call);
    world.one.book.usage().add(&KEY, call);
    let pot = world.pot();
    let killed = world.restart("boot-2", &budget(100 * CENT));
    say_farewell(&mut world);
    assert_eq!(world.hub.settled(&pot), 340);
    assert_eq!(world.hub.unconfirmed(&pot), 750 + 100);
    assert_eq!(world.hub.leased(&pot), 0);
    let row = world.hub.usage.values().next().unwrap();
    assert_eq!((row.requests, row.input_tokens, row.output_tokens, row.cost), (2, 20, 40, 600));
    assert_eq!((row.team.as_str(), row.endpoint.as_str()), ("blue", "chat"));
    drop((killed, stream));
    assert_eq!(journals(&world.folder).len(), 1, "reported and removed");
    world.one.sync(&mut world.hub);
    world.one.granted(1_000).settle(1);
}

#[test]
fn settled_slots_are_reused_and_still_counted_once() {
    let mut world = World::new(100 * CENT);
    let calls = 2 * OPEN_CHARGES as u64 + 3;
    for call in 0..calls {
        world.one.granted(1_000).settle(7);
        if call % 1_000 == 0 {
            world.one.sync(&mut world.hub);
        }
    }
    let _killed = world.restart("boot-2", &budget(100 * CENT));
    say_farewell(&mut world);
    assert_eq!(world.hub.settled(&world.pot()), 7 * calls);
    assert_eq!(world.hub.unconfirmed(&world.pot()), 0);
}

#[test]
fn open_reservations_are_bounded_by_the_journals_slots() {
    let world = World::new(100 * CENT);
    let open: Vec<_> = (0..OPEN_CHARGES).map(|_| world.one.granted(1)).collect();
    assert_eq!(world.one.refused(1).code, RefusalCode::Overloaded);
    drop(open);
    world.one.granted(1).settle(0);
}

#[test]
fn a_lease_whose_grant_never_arrived_is_closed_by_the_farewell() {
    let mut world = World::new(100 * CENT);
    world.one.granted(10).settle(10);
    let Admission::Wait(waiter) = world.one.admit(50 * CENT) else { panic!("it is dear") };
    let request = world.one.sync.request(false);
    world.hub.sync(&request);
    world.restart("boot-2", &budget(100 * CENT));
    drop(waiter);
    say_farewell(&mut world);
    assert_eq!(world.hub.settled(&world.pot()), 10);
    assert_eq!(world.hub.available(&world.pot()), 100 * CENT - 10, "nothing is stranded");
}

#[test]
fn a_torn_record_leaves_the_lease_to_the_hubs_expiry() {
    let mut world = World::new(100 * CENT);
    world.one.granted(10).settle(10);
    let path = journals(&world.folder).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    // The lease's names follow the header and the mark of the first contact.
    bytes[512 + 64 + 100] ^= 1;
    fs::write(&path, bytes).unwrap();
    world.restart("boot-2", &budget(100 * CENT));
    assert!(!world.one.recovered[0].intact);
    say_farewell(&mut world);
    assert!(world.hub.leased(&world.pot()) > 0, "still held");
    world.advance_ms(20 * 60_000);
    world.one.sync(&mut world.hub);
    assert!(world.hub.unconfirmed(&world.pot()) >= 10);
}

#[test]
fn a_journal_cut_short_or_of_another_is_left_alone() {
    let world = World::new(CENT);
    let folder = Folder::new();
    fs::write(folder.0.join("notes.journal"), b"buy milk").unwrap();
    let ours = fs::read(journals(&world.folder).remove(0)).unwrap();
    fs::write(folder.0.join("short.journal"), &ours[..ours.len() / 2]).unwrap();
    fs::write(folder.0.join("empty.journal"), b"").unwrap();
    let (journal, recovered) = Journal::open(&folder.0, "one", "boot-9");
    assert!(recovered.is_empty() && journal.broken().is_none());
    assert_eq!(journals(&folder).len(), 3, "the empty one was never used and is gone");
    let other = Folder::new();
    fs::write(other.0.join("theirs.journal"), &ours).unwrap();
    let (_journal, recovered) = Journal::open(&other.0, "two", "boot-9");
    assert!(recovered.is_empty(), "another sidecar's money is not ours to report");
    assert_eq!(journals(&other).len(), 2);
}

#[test]
fn one_engine_a_folder() {
    let world = World::new(CENT);
    let (second, recovered) = Journal::open(&world.folder.0, "one", "boot-2");
    assert!(second.broken().is_some_and(|it| it.contains("in use")), "{second:?}");
    assert!(recovered.is_empty(), "what the other one holds is not touched");
}

#[test]
fn too_many_unreported_boots_stop_leasing() {
    let world = World::new(CENT);
    world.one.granted(1).settle(1);
    let left = fs::read(journals(&world.folder).remove(0)).unwrap();
    let folder = Folder::new();
    for boot in 0..OLD_JOURNALS {
        fs::write(folder.0.join(format!("{boot}.journal")), &left).unwrap();
    }
    let (refused, recovered) = Journal::open(&folder.0, "one", "boot-2");
    assert!(refused.broken().is_some_and(|it| it.contains("16 journals")), "{refused:?}");
    assert_eq!(recovered.len(), OLD_JOURNALS, "they are reported, and the next start leases again");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = Folder::new();
    let file = folder.0.join("file");
    fs::write(&file, b"").unwrap();
    let (journal, _) = Journal::open(&file.join("inside"), "one", "boot");
    assert!(journal.broken().is_some_and(|it| it.contains("stateDir")), "{journal:?}");
}

#[test]
fn crash_loops_without_money_never_stop_leasing() {
    let world = World::new(CENT);
    let folder = Folder::new();
    for boot in 0..3 * OLD_JOURNALS {
        let mut one = Sidecar::start(&world.clock, &folder, "one", &format!("boot-{boot}"));
        if boot % 2 == 0 {
            let _lost = one.sync.request(false);
        }
        assert!(one.recovered.iter().all(|it| it.is_empty() && it.intact));
    }
    assert_eq!(journals(&folder).len(), OLD_JOURNALS, "those that asked the hub, and the last");
}
