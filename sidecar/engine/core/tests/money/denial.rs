//! A limit that is spent: the hub says when to ask again, and nobody asks before; what comes back is
//! used as soon as it is heard of.

use pointsman_core::budget::{Admission, RefusalCode, Urgency};
use pointsman_core::limits::{AGAIN_RANGE_MS, DENIAL_MS};
use serde_json::json;

use super::hub::Lease;
use super::world::{CENT, DAY, World, budget, table};

const AGAIN_MS: u64 = 25_000;

/// A world whose only sidecar was just told that the limit is spent.
fn denied(again_ms: Option<u64>) -> World {
    let mut world = World::new(CENT);
    world.hub.again_ms = again_ms;
    deny(&mut world);
    world
}

fn deny(world: &mut World) {
    let Admission::Wait(waiter) = world.one.admit(2 * CENT) else { panic!("nobody was asked") };
    world.one.sync(&mut world.hub);
    drop(waiter);
    let _served = world.one.book.take_urgency();
    assert_eq!(world.one.refused(2 * CENT).code, RefusalCode::TooLarge);
}

/// How long calls are refused before one asks the hub, in steps of a tenth of a second.
fn refused_for_ms(world: &mut World) -> u64 {
    for step in 0..1_000 {
        match world.one.admit(2 * CENT) {
            Admission::Refused(_) => {
                assert_eq!(world.one.book.urgency(), Urgency::Renewal, "step {step} asks");
            }
            Admission::Wait(_) => return step * 100,
            Admission::Granted(charge) => panic!("{charge:?}"),
        }
        world.advance_ms(100);
    }
    panic!("it never asks again");
}

#[test]
fn the_hub_says_when_to_ask_again() {
    assert_eq!(refused_for_ms(&mut denied(Some(AGAIN_MS))), AGAIN_MS);
}

#[test]
fn a_hub_that_says_nothing_is_asked_after_a_second() {
    assert_eq!(refused_for_ms(&mut denied(None)), DENIAL_MS);
}

#[test]
fn what_the_hub_says_is_bounded() {
    assert_eq!(refused_for_ms(&mut denied(Some(0))), *AGAIN_RANGE_MS.start());
    assert_eq!(refused_for_ms(&mut denied(Some(u64::MAX))), *AGAIN_RANGE_MS.end());
}

#[test]
fn a_new_window_ends_a_denial() {
    let mut world = World::new(CENT);
    world.hub.again_ms = Some(AGAIN_MS);
    world.advance_ms(12 * 3_600_000 - 3_000);
    // The lease of noon has expired: another one takes its place.
    world.one.sync(&mut world.hub);
    world.one.sync(&mut world.hub);
    deny(&mut world);
    assert_eq!(refused_for_ms(&mut world), 3_000);
}

#[test]
fn money_that_comes_back_ends_a_denial() {
    let mut world = World::new(CENT);
    world.hub.again_ms = Some(AGAIN_MS);
    let lost = Lease { pot: world.pot(), unconfirmed: CENT / 2, closed: true, ..Lease::default() };
    world.hub.leases.insert("lost".into(), lost);
    deny(&mut world);
    world.one.sync(&mut world.hub);
    assert_eq!(world.one.refused(2 * CENT).code, RefusalCode::TooLarge, "nothing has changed");
    // The operator releases it: the next renewal shows that.
    world.hub.leases.remove("lost");
    world.one.sync(&mut world.hub);
    assert!(matches!(world.one.admit(2 * CENT), Admission::Wait(_)));
}

#[test]
fn another_limit_or_threshold_in_the_table_ends_a_denial() {
    let mut dearer = budget(2 * CENT);
    let mut looser = budget(CENT);
    looser["thresholds"] = json!([{"percent": 90, "action": "Block"}]);
    for changed in [&mut dearer, &mut looser] {
        let world = denied(Some(AGAIN_MS));
        world.one.book.configure(&table(std::slice::from_ref(changed))).unwrap();
        assert!(matches!(world.one.admit(2 * CENT), Admission::Wait(_)), "{changed}");
    }
}

#[test]
fn the_same_table_again_does_not() {
    let world = denied(Some(AGAIN_MS));
    world.one.book.configure(&table(&[budget(CENT)])).unwrap();
    assert_eq!(world.one.refused(2 * CENT).code, RefusalCode::TooLarge);
}

#[test]
fn a_limit_that_is_used_up_is_asked_about_as_the_hub_says() {
    let mut blocking = budget(CENT);
    blocking["thresholds"] = json!([{"percent": 100, "action": "Block"}]);
    let mut world = World::with(CENT, &blocking);
    world.hub.again_ms = Some(AGAIN_MS);
    while !spend_all(&mut world) {}
    let _served = world.one.book.take_urgency();
    let mut asked_after_ms = 0;
    while world.one.book.urgency() == Urgency::Renewal {
        assert_eq!(world.one.refused(1).code, RefusalCode::Exhausted);
        asked_after_ms += 100;
        world.advance_ms(100);
    }
    assert_eq!(asked_after_ms, AGAIN_MS + 100);
    assert_eq!(world.hub.used(&world.pot()), CENT);
    assert_eq!(world.hub.limits[DAY], CENT);
}

/// Spends what is leased and asks for more; true once nothing is left.
fn spend_all(world: &mut World) -> bool {
    let free = world.one.free();
    if free > 0 {
        world.one.granted(free).settle(free);
    }
    let over = match world.one.admit(CENT / 10) {
        Admission::Wait(waiter) => {
            world.one.sync(&mut world.hub);
            drop(waiter);
            false
        }
        Admission::Granted(charge) => {
            charge.settle(CENT / 10);
            false
        }
        Admission::Refused(_) => true,
    };
    world.one.sync(&mut world.hub);
    over && world.one.free() == 0
}
