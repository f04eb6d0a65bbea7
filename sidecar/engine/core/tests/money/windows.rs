//! Midnight: the next window's money is there before it, and running calls book where they began.

use pointsman_core::budget::{Admission, RefusalCode};

use super::world::{CENT, DAY, DAY_MS, World};

const MINUTE_MS: u64 = 60_000;

/// Syncs once a renewal until `at_ms` of the hub's clock.
fn live_until(world: &mut World, at_ms: i64) {
    while world.hub.now_ms < at_ms {
        let step_ms = (at_ms - world.hub.now_ms).min(30_000);
        world.advance_ms(step_ms.unsigned_abs());
        world.one.sync(&mut world.hub);
    }
}

fn midnight(world: &World) -> i64 {
    (world.hub.window() + 1) * DAY_MS
}

#[test]
fn midnight_under_load_refuses_nobody() {
    let mut world = World::new(100 * CENT);
    let midnight_ms = midnight(&world);
    live_until(&mut world, midnight_ms - 20_000);
    let today = world.pot();
    let mut spent = 0;
    // No sync from here on: what was granted ahead must do.
    for second in 0..40 {
        world.one.granted(1_000).settle(100);
        if second < 20 {
            spent += 100;
        }
        world.advance_ms(1_000);
    }
    world.one.sync(&mut world.hub);
    assert_eq!(world.hub.settled(&today), spent);
    assert_eq!(world.hub.settled(&world.pot()), 2_000);
    assert_eq!(world.hub.leased(&today), 0, "the old window's rest is returned");
}

#[test]
fn a_stream_across_midnight_books_and_tops_up_where_it_was_admitted() {
    let mut world = World::new(100 * CENT);
    let midnight_ms = midnight(&world);
    live_until(&mut world, midnight_ms - 1_000);
    let today = world.pot();
    let mut stream = world.one.granted(1_000);
    world.advance_ms(31_000);
    world.one.sync(&mut world.hub);
    assert!(!stream.top_up(10 * CENT), "more than the lease has");
    world.one.sync(&mut world.hub);
    assert!(stream.top_up(10 * CENT), "granted for the window that is over");
    world.one.granted(1_000).settle(70);
    stream.settle(10 * CENT);
    world.one.sync(&mut world.hub);
    assert_eq!((world.hub.settled(&today), world.settled()), (10 * CENT, 70));
    world.one.sync(&mut world.hub);
    let tomorrow = world.pot();
    assert!(world.hub.leases.values().all(|it| it.closed || it.pot == tomorrow));
}

#[test]
fn what_is_exhausted_today_is_free_tomorrow() {
    let mut world = World::new(CENT);
    let Admission::Wait(waiter) = world.one.admit(CENT) else { panic!("it is all there is") };
    world.one.sync(&mut world.hub);
    drop(waiter);
    world.one.granted(CENT).settle(CENT);
    let Admission::Wait(waiter) = world.one.admit(1) else { panic!("nobody was asked yet") };
    world.one.sync(&mut world.hub);
    drop(waiter);
    assert_eq!(world.one.refused(1).code, RefusalCode::Exhausted);
    let midnight_ms = midnight(&world);
    live_until(&mut world, midnight_ms);
    world.one.granted(1).settle(1);
}

#[test]
fn the_next_window_is_asked_for_once_and_not_at_the_same_time_by_all() {
    let mut seen = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let mut world = World::new(100 * CENT);
        let folder = super::world::Folder::new();
        world.one = super::world::Sidecar::start(&world.clock, &folder, name, "boot");
        world
            .one
            .book
            .configure(&super::world::table(&[super::world::budget(100 * CENT)]))
            .unwrap();
        world.one.sync(&mut world.hub);
        let midnight_ms = midnight(&world);
        live_until(&mut world, midnight_ms - 20 * MINUTE_MS as i64);
        let next = (DAY.into(), world.hub.window() + 1);
        let mut lead_ms = None;
        while world.hub.now_ms < midnight_ms {
            world.advance_ms(1_000);
            world.one.sync(&mut world.hub);
            if lead_ms.is_none() && world.hub.leased(&next) > 0 {
                lead_ms = Some(midnight_ms - world.hub.now_ms);
            }
        }
        let lead_ms = lead_ms.expect("a lease before midnight");
        // The outage horizon, and two minutes over which they are spread.
        assert!((779_000..=900_000).contains(&lead_ms), "{lead_ms}");
        let mine = |it: &&super::hub::Lease| it.pot == next && &*it.holder.0 == name;
        assert_eq!(world.hub.leases.values().filter(mine).count(), 1);
        seen.push(lead_ms);
    }
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() > 2, "spread: {seen:?}");
}

#[test]
fn midnight_passes_while_the_hub_is_away() {
    let mut world = World::new(100 * CENT);
    let midnight_ms = midnight(&world);
    live_until(&mut world, midnight_ms - 11 * MINUTE_MS as i64);
    let yesterday = world.hub.window();
    for _ in 0..2 {
        let _lost = world.one.sync.request(false);
        world.one.sync.failed("away");
    }
    world.advance_ms(12 * MINUTE_MS);
    assert_eq!(world.hub.window(), yesterday + 1);
    world.one.granted(1_000).settle(1_000);
}
