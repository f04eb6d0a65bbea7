//! A restored ledger grants nothing for a while, and lists what its holders still have.

use pointsman_core::budget::{Admission, RefusalCode, Urgency};
use serde_json::json;

use super::hub::RESTORE_SETTLE_MS;
use super::world::{CENT, World, budget};

const SETTLE_MS: u64 = RESTORE_SETTLE_MS.unsigned_abs();
/// More than a first lease holds.
const DEAR: u64 = 90 * CENT;

/// A dear call waits, the hub is asked, and the call is gone again.
fn ask(world: &mut World) {
    let Admission::Wait(waiter) = world.one.admit(DEAR) else { panic!("nobody was asked") };
    world.one.sync(&mut world.hub);
    drop(waiter);
    let _served = world.one.book.take_urgency();
}

#[test]
fn what_a_restored_ledger_lists_is_spent_and_nothing_more() {
    let mut world = World::new(100 * CENT);
    let mut running = world.one.granted(1_000);
    world.one.granted(500).settle(500);
    let free = world.one.free();
    world.hub.restore();
    ask(&mut world);
    assert_eq!(world.one.free(), free, "its lease goes on");
    assert!(running.top_up(1_000), "and so does what runs on it");
    let refusal = world.one.refused(DEAR);
    assert_eq!((refusal.code, refusal.wait_ms), (RefusalCode::LedgerRestored, SETTLE_MS));
    assert!(!refusal.code.is_final(), "the money is there");
    assert!(refusal.to_string().contains("restored"), "{refusal}");
    assert!(!running.top_up(DEAR));
    assert_eq!(running.shortage(DEAR).code, RefusalCode::LedgerRestored);
    world.one.granted(free / 2).settle(free / 2);
    assert_eq!(world.settled(), 500 + free / 2);
    running.settle(2_000);
    assert_eq!(world.settled(), 2_500 + free / 2);
    assert_eq!(world.hub.overrun(&world.pot()), 0);
}

#[test]
fn nobody_asks_before_the_time_is_over_and_then_money_comes() {
    let mut world = World::new(100 * CENT);
    world.hub.restore();
    ask(&mut world);
    world.advance_ms(SETTLE_MS - 1);
    assert_eq!(world.one.refused(DEAR).wait_ms, 1);
    assert_eq!(world.one.book.urgency(), Urgency::Renewal, "asking is in vain");
    world.advance_ms(1);
    ask(&mut world);
    world.one.granted(DEAR).settle(DEAR);
    assert_eq!(world.settled(), DEAR);
}

#[test]
fn the_window_s_end_brings_no_money_either() {
    let mut world = World::new(100 * CENT);
    world.advance_ms(12 * 3_600_000 - 1_000);
    world.one.sync(&mut world.hub);
    world.one.sync(&mut world.hub);
    world.hub.restore();
    ask(&mut world);
    world.advance_ms(2_000);
    assert_eq!(world.one.refused(DEAR).code, RefusalCode::LedgerRestored);
}

#[test]
fn allow_goes_on_as_with_a_ledger_that_is_away() {
    let mut lenient = budget(100 * CENT);
    lenient["enforcement"]["onLedgerUnavailable"] = json!("Allow");
    let mut world = World::with(100 * CENT, &lenient);
    world.hub.restore();
    ask(&mut world);
    let mut charge = world.one.granted(DEAR);
    assert!(charge.top_up(CENT));
    charge.settle(DEAR + CENT);
    assert_eq!(world.settled(), DEAR + CENT, "all of it is told");
}

#[test]
fn a_lease_that_it_does_not_list_is_void() {
    let mut world = World::new(100 * CENT);
    let running = world.one.granted(1_000);
    world.hub.restore();
    // Too late to be readmitted: the ledger grants anew.
    world.hub.settles_until_ms = world.hub.now_ms;
    world.one.sync(&mut world.hub);
    assert_eq!(world.one.free(), 0);
    running.settle(300);
    assert_eq!(world.settled(), 300);
}
