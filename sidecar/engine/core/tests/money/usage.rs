//! Usage counters: cumulative, bounded, and not lost with reports; and the book under real threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pointsman_core::budget::{Admission, Usage, UsageKey};
use pointsman_core::limits::{USAGE_DIMENSION_BYTES, USAGE_TUPLES};

use super::world::{CENT, World};

fn key(team: &str) -> UsageKey<'_> {
    UsageKey {
        model: "main/small",
        provider: "openai",
        workload: "support",
        team,
        key: "",
        endpoint: "chat",
    }
}

const CALL: Usage =
    Usage { requests: 1, input_tokens: 7, output_tokens: 11, cost: 13, unconfirmed: 5 };

#[test]
fn a_lost_report_loses_no_usage_and_an_answered_one_is_not_repeated() {
    let mut world = World::new(CENT);
    world.one.book.usage().add(&key("blue"), CALL);
    let lost = world.one.sync.request(false);
    assert_eq!(lost.usage.len(), 1);
    world.one.sync.failed("lost");
    world.one.book.usage().add(&key("blue"), CALL);
    world.one.book.usage().add(&key("red"), CALL);
    world.one.sync(&mut world.hub);
    let costs: Vec<_> = world.hub.usage.values().map(|it| (it.team.as_str(), it.cost)).collect();
    assert_eq!(costs, [("blue", 26), ("red", 13)]);
    assert!(world.one.sync.request(false).usage.is_empty());
    world.one.sync.failed("lost");
    world.one.book.usage().add(&key("red"), CALL);
    let changed = world.one.sync.request(false).usage;
    assert_eq!((changed.len(), changed[0].cost, changed[0].output_tokens), (1, 26, 22));
}

#[test]
fn tuples_beyond_the_bound_share_one() {
    let mut world = World::new(CENT);
    for team in 0..USAGE_TUPLES + 50 {
        world.one.book.usage().add(&key(&format!("team-{team}")), CALL);
    }
    world.one.book.usage().add(&key("team-0"), CALL);
    world.one.sync(&mut world.hub);
    let rows = &world.hub.usage;
    assert_eq!(rows.len(), USAGE_TUPLES + 1);
    let total: u64 = rows.values().map(|it| it.cost).sum();
    assert_eq!(total, 13 * (USAGE_TUPLES as u64 + 51));
    let other = rows.values().find(|it| it.team == "other").unwrap();
    assert_eq!((other.requests, other.model.as_str()), (50, "other"));
}

#[test]
fn long_dimensions_are_cut_between_characters() {
    let mut world = World::new(CENT);
    let long = "é".repeat(USAGE_DIMENSION_BYTES);
    world.one.book.usage().add(&key(&format!("x{long}")), CALL);
    world.one.book.usage().add(&key(&format!("x{long}y")), CALL);
    world.one.sync(&mut world.hub);
    let row = world.hub.usage.values().next().unwrap();
    assert_eq!((row.requests, row.team.len()), (2, USAGE_DIMENSION_BYTES - 1));
}

#[test]
fn many_threads_and_a_sync_beside_them_keep_the_books() {
    let mut world = World::new(1_000 * CENT);
    let bill = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4_u64)
        .map(|caller| {
            let (book, bill) = (world.one.book.clone(), bill.clone());
            let accounts = world.one.accounts();
            std::thread::spawn(move || {
                for call in 0..2_000_u64 {
                    if let Admission::Granted(mut charge) = book.admit(&accounts, 10_000) {
                        let grown = charge.top_up(call % 100);
                        let cost = 5_000 + caller + if grown { call % 100 } else { 0 };
                        bill.fetch_add(cost, Ordering::Relaxed);
                        book.usage().add(&key("blue"), Usage { cost, ..CALL });
                        charge.settle(cost);
                    }
                }
            })
        })
        .collect();
    let watcher = {
        let (book, done) = (world.one.book.clone(), done.clone());
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let _standings = book.standings();
            }
        })
    };
    while !callers.iter().all(std::thread::JoinHandle::is_finished) {
        world.one.sync(&mut world.hub);
    }
    callers.into_iter().for_each(|it| it.join().unwrap());
    done.store(true, Ordering::Relaxed);
    watcher.join().unwrap();
    let bill = bill.load(Ordering::Relaxed);
    assert!(bill > 0);
    assert_eq!(world.settled(), bill);
    assert_eq!(world.hub.usage.values().map(|it| it.cost).sum::<u64>(), bill);
    let standing = &world.one.book.standings()[0];
    assert_eq!((standing.reserved, standing.overrun), (0, 0));
}
