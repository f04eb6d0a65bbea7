//! A restarted container, the hub away: it goes on with what its former boots' leases still hold.

use pointsman_core::budget::{Admission, RefusalCode};
use pointsman_core::ledger::farewell;
use serde_json::Value;

use super::world::{CENT, DAY_MS, World, budget};

const EXPIRY_MS: u64 = 15 * 60_000;

/// A sidecar that has spent 10 and was killed; what its lease still held then. No hub answers.
fn killed(own: &Value) -> (World, u64) {
    let mut world = World::with(100 * CENT, own);
    world.one.granted(10).settle(10);
    let left = world.one.free();
    assert!(left > 1_000);
    restart(&mut world, "boot-2", own);
    (world, left)
}

fn restart(world: &mut World, boot: &str, own: &Value) {
    world.restart(boot, own);
    world.one.book.sync_failed("no route to host");
}

fn under(policy: &str) -> Value {
    let mut own = budget(100 * CENT);
    own["enforcement"]["onLedgerUnavailable"] = policy.into();
    own
}

#[test]
fn it_goes_on_with_its_lease_and_not_beyond_it() {
    let (world, left) = killed(&budget(100 * CENT));
    assert_eq!(world.one.refused(left + 1).code, RefusalCode::LedgerUnavailable);
    let held = world.one.granted(left - 100);
    assert_eq!(world.one.refused(101).code, RefusalCode::LedgerUnavailable, "reserved counts");
    held.settle(300);
    assert_eq!(world.one.refused(left - 299).code, RefusalCode::LedgerUnavailable, "spent counts");
    world.one.granted(left - 300).settle(0);
}

#[test]
fn a_second_restart_knows_what_the_first_has_spent() {
    let own = budget(100 * CENT);
    let (mut world, left) = killed(&own);
    world.one.granted(500).settle(400);
    let open = world.one.granted(50);
    restart(&mut world, "boot-3", &own);
    drop(open);
    assert_eq!(world.one.refused(left - 449).code, RefusalCode::LedgerUnavailable);
    world.one.granted(left - 450).settle(7);
    let pot = world.pot();
    world.one.sync(&mut world.hub);
    for former in &world.one.recovered {
        world.hub.sync(&farewell(&world.one.book.holder().sidecar, former));
    }
    assert_eq!((world.hub.settled(&pot), world.hub.unconfirmed(&pot)), (417, 50));
    let free = world.one.free();
    assert_eq!(world.hub.available(&pot), 100 * CENT - 467 - free, "nothing is stranded");
}

#[test]
fn a_stream_grows_within_it() {
    let (world, left) = killed(&budget(100 * CENT));
    let mut stream = world.one.granted(100);
    assert!(stream.top_up(left - 100));
    assert!(!stream.top_up(1), "the rest is used");
    assert!(world.one.book.spends_former());
    stream.settle(left);
    assert!(!world.one.book.spends_former());
}

#[test]
fn it_ends_with_the_lease_and_with_the_window() {
    let own = budget(100 * CENT);
    let (mut world, _) = killed(&own);
    world.advance_ms(EXPIRY_MS - 1);
    world.one.granted(1).settle(0);
    world.advance_ms(1);
    assert_eq!(world.one.refused(1).code, RefusalCode::LedgerUnavailable);
    let mut world = World::new(100 * CENT);
    world.advance_ms(u64::try_from(DAY_MS).unwrap() / 2 - 60_000);
    for _ in 0..2 {
        // The first lease has expired.
        world.one.sync(&mut world.hub);
    }
    world.one.granted(10).settle(10);
    restart(&mut world, "boot-2", &own);
    world.one.granted(1).settle(0);
    world.advance_ms(60_000);
    assert_eq!(world.one.refused(1).code, RefusalCode::LedgerUnavailable, "yesterday's money");
}

#[test]
fn the_ledgers_answer_ends_it() {
    let (mut world, left) = killed(&budget(100 * CENT));
    let held = world.one.granted(1);
    world.one.sync(&mut world.hub);
    assert!(world.one.book.spends_former(), "its end is told when this call has settled");
    held.settle(1);
    let free = world.one.free();
    assert!(matches!(world.one.admit(free + left), Admission::Wait(_)), "it adds nothing");
}

#[test]
fn other_policies_have_their_own_rule() {
    let (world, _) = killed(&under("Deny"));
    assert_eq!(world.one.refused(1).code, RefusalCode::LedgerUnavailable);
    let (world, left) = killed(&under("Allow"));
    world.one.granted(2 * left).settle(0);
}
