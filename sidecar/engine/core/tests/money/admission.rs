//! Admission, charges, waiting, and the last cent.

use pointsman_core::budget::{Admission, RefusalCode, Urgency};
use pointsman_core::journal::Journal;
use pointsman_core::limits::BUDGET_WAITERS;
use serde_json::json;

use super::world::{CENT, Sidecar, World, absent, budget, table};

#[test]
fn a_charge_is_settled_once_with_what_it_cost() {
    let mut world = World::new(100 * CENT);
    let free = world.one.free();
    world.one.granted(1_000).settle(300);
    assert_eq!(world.one.free(), free - 300);
    assert_eq!(world.settled(), 300);
}

#[test]
fn i11_a_dropped_charge_is_given_back() {
    let mut world = World::new(100 * CENT);
    drop(world.one.granted(1_000));
    assert_eq!(world.settled(), 0, "nothing was dispatched");
    assert_eq!(world.one.book.standings()[0].reserved, 0);
}

#[test]
fn an_abandoned_attempt_is_unconfirmed_and_covers_no_other() {
    let mut world = World::new(100 * CENT);
    let mut charge = world.one.granted(1_000);
    charge.unconfirmed(400);
    assert_eq!(charge.reserved(), 600);
    assert!(charge.top_up(400));
    assert_eq!(charge.reserved(), 1_000);
    charge.settle(900);
    assert_eq!(world.settled(), 900);
    assert_eq!(world.hub.unconfirmed(&world.pot()), 400);
}

#[test]
fn a_stream_may_end_above_its_reservation_and_the_excess_counts() {
    let mut world = World::new(CENT);
    let free = world.one.free();
    world.one.granted(free).settle(free + 50);
    assert_eq!(world.one.free(), 0);
    assert_eq!(world.one.book.standings()[0].overrun, 50);
    assert_eq!(world.settled(), free + 50);
}

#[test]
fn all_accounts_grant_or_none_is_touched() {
    let mut small = budget(100 * CENT);
    small["limits"] =
        json!([{"name": "day", "amount": 100 * CENT}, {"name": "tiny", "amount": 1_000}]);
    let mut world = World::with(100 * CENT, &small);
    let before = world.one.book.standings();
    assert!(matches!(world.one.admit(CENT), Admission::Wait(_)), "tiny has no lease");
    assert_eq!(world.one.book.standings(), before);
    world.hub.limits.insert("demo/team/tiny".into(), 1_000_000);
    world.one.sync(&mut world.hub);
    assert_eq!(world.one.granted(1).reserved(), 1);
}

#[test]
fn a_request_without_budgets_costs_nothing_here() {
    let mut other = budget(CENT);
    other["subject"] = json!({"workloads": ["another"]});
    let world = World::with(CENT, &other);
    assert!(world.one.accounts().is_empty());
    let mut charge = world.one.granted(u64::MAX);
    assert!(charge.top_up(1));
    charge.settle(u64::MAX);
    assert_eq!(world.one.book.free_for(&world.one.accounts()), u64::MAX);
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_share_the_last_cent_without_a_false_refusal() {
    let mut world = World::new(CENT);
    let dearest = CENT / 10;
    let (mut charges, mut waiters) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        match world.one.admit(dearest) {
            Admission::Granted(charge) => charges.push(charge),
            Admission::Wait(waiter) => waiters.push(tokio::spawn(waiter.wait())),
            Admission::Refused(refusal) => panic!("nobody was asked yet: {refusal}"),
        }
    }
    tokio::task::yield_now().await;
    assert_eq!(world.one.book.take_urgency(), Urgency::Waiting);
    world.one.sync(&mut world.hub);
    let mut refused = 0;
    for waiter in waiters {
        match waiter.await.unwrap() {
            Ok(charge) => charges.push(charge),
            Err(refusal) => {
                assert_eq!(refusal.code, RefusalCode::Exhausted);
                refused += 1;
            }
        }
    }
    assert_eq!((charges.len(), refused), (10, 40), "floor(remaining / dearest) succeed");
    let mut bill = 0;
    for charge in charges {
        bill += dearest / 3;
        charge.settle(dearest / 3);
    }
    // What they did not use serves others.
    let mut more = 0;
    while let Admission::Granted(charge) = world.one.admit(dearest) {
        bill += dearest;
        charge.settle(dearest);
        more += 1;
    }
    assert_eq!(more, 6);
    assert_eq!(world.settled(), bill);
    assert!(bill <= CENT && world.hub.overrun(&world.pot()) == 0);
}

#[tokio::test(start_paused = true)]
async fn too_large_a_cap_learns_what_is_left() {
    let dollar = 100 * CENT;
    let mut world = World::new(dollar);
    let Admission::Wait(waiter) = world.one.admit(2 * dollar) else { panic!("it may fit") };
    let waiting = tokio::spawn(waiter.wait());
    tokio::task::yield_now().await;
    world.one.sync(&mut world.hub);
    let refusal = waiting.await.unwrap().unwrap_err();
    assert_eq!((refusal.code, refusal.available), (RefusalCode::TooLarge, dollar));
    assert_eq!(refusal.resets_at.as_deref(), Some("2026-11-23T00:00:00Z"));
    assert_eq!(refusal.resets_at_ms, Some(1_795_392_000_000));
    world.one.granted(refusal.available).settle(dollar);
    assert_eq!(world.settled(), dollar);
}

#[tokio::test(start_paused = true)]
async fn a_settled_charge_serves_one_that_waits() {
    let world = World::new(CENT);
    let free = world.one.free();
    let charge = world.one.granted(free);
    let Admission::Wait(waiter) = world.one.admit(free) else { panic!("it may fit") };
    let waiting = tokio::spawn(waiter.wait());
    tokio::task::yield_now().await;
    charge.settle(0);
    assert_eq!(waiting.await.unwrap().unwrap().reserved(), free);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_after_a_quarter_of_a_second_and_withdraws_its_need() {
    let mut world = World::new(100 * CENT);
    let Admission::Wait(waiter) = world.one.admit(50 * CENT) else { panic!("it may fit") };
    let begun = tokio::time::Instant::now();
    let refusal = waiter.wait().await.unwrap_err();
    assert_eq!(refusal.code, RefusalCode::LedgerUnavailable);
    assert_eq!(begun.elapsed().as_millis(), 250);
    let wants = world.one.sync.request(false).wants;
    assert!(wants.iter().all(|it| it.need == 0), "{wants:?}");
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded() {
    let world = World::new(100 * CENT);
    let queue: Vec<_> = (0..BUDGET_WAITERS)
        .map(|_| match world.one.admit(50 * CENT) {
            Admission::Wait(waiter) => waiter,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(world.one.refused(50 * CENT).code, RefusalCode::Overloaded);
    drop(queue);
    assert!(matches!(world.one.admit(50 * CENT), Admission::Wait(_)));
}

#[test]
fn a_running_streams_refused_top_up_is_asked_for() {
    let mut world = World::new(100 * CENT);
    let free = world.one.free();
    let mut charge = world.one.granted(free);
    assert!(!charge.top_up(CENT));
    world.one.sync(&mut world.hub);
    assert!(charge.top_up(CENT), "the refusal asked for it");
    charge.settle(free + CENT);
    assert_eq!(world.settled(), free + CENT);
}

#[test]
fn audit_counts_and_never_refuses() {
    let mut audit = budget(CENT);
    audit["enforcement"]["mode"] = json!("Audit");
    audit["thresholds"] = json!([{"percent": 100, "action": "Block"}]);
    let mut world = World::with(CENT, &audit);
    for _ in 0..4 {
        world.one.granted(CENT).settle(CENT);
        world.one.sync(&mut world.hub);
    }
    assert_eq!(world.settled(), 4 * CENT);
    assert_eq!(world.hub.overrun(&world.pot()), 3 * CENT);
    let lease = world.hub.leases.values().next().unwrap();
    assert_eq!((lease.granted, world.hub.leases.len()), (0, 1), "nothing is leased for it");
}

fn tier(world: &World) -> Option<u8> {
    world.one.book.max_tier(&world.one.accounts()).map(|tier| tier.most)
}

#[test]
fn thresholds_act_on_the_hubs_word_and_on_what_was_spent_since() {
    let mut strict = budget(100 * CENT);
    strict["thresholds"] = json!([
        {"percent": 50, "action": "Downgrade", "maxTier": 3},
        {"percent": 60, "action": "Downgrade", "maxTier": 1},
        {"percent": 90, "action": "Block"}
    ]);
    let mut world = World::with(100 * CENT, &strict);
    let spend = |world: &mut World, amount: u64| {
        let Admission::Wait(waiter) = world.one.admit(amount) else { panic!("it is dear") };
        world.one.sync(&mut world.hub);
        drop(waiter);
        world.one.granted(amount).settle(amount);
    };
    assert_eq!(tier(&world), None);
    spend(&mut world, 55 * CENT);
    assert_eq!(tier(&world), Some(3), "before any sync");
    spend(&mut world, 10 * CENT);
    assert_eq!(tier(&world), Some(1));
    spend(&mut world, 25 * CENT);
    assert_eq!(world.one.refused(1).code, RefusalCode::Blocked);
    world.one.sync(&mut world.hub);
    assert_eq!(world.one.refused(1).code, RefusalCode::Blocked);
}

#[test]
fn without_a_journal_enforced_budgets_refuse_and_say_why() {
    let world = World::new(CENT);
    let one = Sidecar::with(&world.clock, "two", "boot", Journal::unavailable(&absent()));
    one.book.configure(&table(&[budget(CENT)])).unwrap();
    let refusal = one.refused(1);
    assert_eq!(refusal.code, RefusalCode::JournalUnavailable);
    assert!(refusal.to_string().contains("/nowhere"), "{refusal}");
    let mut audit = budget(CENT);
    audit["enforcement"]["mode"] = json!("Audit");
    one.book.configure(&table(&[audit])).unwrap();
    one.granted(1).settle(1);
}

#[test]
fn a_table_swap_keeps_leases_and_open_charges() {
    let mut world = World::new(100 * CENT);
    let free = world.one.free();
    let charge = world.one.granted(1_000);
    let mut second = budget(100 * CENT);
    second["name"] = json!("other");
    world.one.book.configure(&table(&[second, budget(100 * CENT)])).unwrap();
    charge.settle(400);
    let kept = world.one.book.standings();
    assert_eq!(kept.iter().map(|it| it.free).max(), Some(free - 400));
    world.one.book.configure(&table(&[])).unwrap();
    assert!(world.one.accounts().is_empty());
    assert_eq!(world.settled(), 400);
    assert_eq!(world.hub.leased(&world.pot()), 0, "the Budget is gone, its lease is closed");
}
