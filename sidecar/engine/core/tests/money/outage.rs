//! The hub away, answers lost, late and twice, restored ledgers.

use pointsman_core::budget::{Admission, RefusalCode, Urgency};
use pointsman_core::limits::LEASES_PER_CHARGE;
use serde_json::json;

use super::world::{CENT, Folder, Sidecar, World, budget, table};

const MINUTE_MS: u64 = 60_000;

/// Two syncs in a row fail: the ledger counts as away.
fn cut_off(world: &mut World) {
    for _ in 0..2 {
        let _lost = world.one.sync.request(false);
        world.one.sync.failed("lost");
    }
}

#[test]
fn leased_money_is_spent_while_the_hub_is_away_and_not_after_its_expiry() {
    let mut world = World::new(100 * CENT);
    cut_off(&mut world);
    world.advance_ms(10 * MINUTE_MS);
    world.one.granted(1_000).settle(1_000);
    let running = world.one.granted(1_000);
    world.advance_ms(5 * MINUTE_MS - 1);
    world.one.granted(1_000).settle(1_000);
    world.advance_ms(1);
    let refusal = world.one.refused(1);
    assert_eq!(refusal.code, RefusalCode::LedgerUnavailable);
    assert!(refusal.to_string().contains("ledger"), "{refusal}");
    running.settle(900);
    world.advance_ms(10 * MINUTE_MS);
    assert_eq!(world.one.refused(1).code, RefusalCode::LedgerUnavailable);
    assert_eq!(world.settled(), 2_900, "what ended after the expiry is reported as usual");
    world.one.sync(&mut world.hub);
    world.one.granted(1_000).settle(0);
    assert_eq!(world.hub.unconfirmed(&world.pot()), 0, "the late report moved it back");
}

#[test]
fn a_lease_runs_from_when_it_was_asked_for() {
    let mut world = World::new(100 * CENT);
    let request = world.one.sync.request(false);
    let answer = world.hub.sync(&request);
    world.advance_ms(14 * MINUTE_MS);
    world.one.sync.answered(&answer).unwrap();
    world.one.granted(1).settle(0);
    world.advance_ms(MINUTE_MS);
    assert!(
        matches!(world.one.admit(1), Admission::Wait(_)),
        "the answer was late, not the expiry"
    );
}

#[test]
fn one_lost_answer_is_no_outage() {
    let mut strict = budget(100 * CENT);
    strict["enforcement"]["onLedgerUnavailable"] = json!("Deny");
    let mut world = World::with(100 * CENT, &strict);
    let _lost = world.one.sync.request(false);
    world.one.sync.failed("lost");
    world.one.granted(1).settle(0);
    cut_off(&mut world);
    assert_eq!(world.one.refused(1).code, RefusalCode::LedgerUnavailable, "Deny, money or not");
    world.one.sync(&mut world.hub);
    world.one.granted(1).settle(0);
}

#[test]
fn allow_goes_on_without_the_ledger_and_everything_counts_later() {
    let mut lenient = budget(CENT);
    lenient["enforcement"]["onLedgerUnavailable"] = json!("Allow");
    let mut world = World::with(CENT, &lenient);
    cut_off(&mut world);
    world.advance_ms(20 * MINUTE_MS);
    let mut charge = world.one.granted(CENT);
    assert!(charge.top_up(CENT));
    charge.settle(2 * CENT);
    assert_eq!(world.settled(), 2 * CENT);
    world.one.sync(&mut world.hub);
    assert_eq!(world.hub.overrun(&world.pot()), CENT);
}

#[tokio::test(start_paused = true)]
async fn a_new_engine_without_a_hub_refuses_and_names_the_ledger() {
    let (world, folder) = (World::new(CENT), Folder::new());
    let mut new = Sidecar::start(&world.clock, &folder, "two", "boot-1");
    new.book.configure(&table(&[budget(CENT)])).unwrap();
    let Admission::Wait(waiter) = new.admit(1) else { panic!("the hub may answer") };
    let _lost = new.sync.request(false);
    new.sync.failed("lost");
    assert_eq!(waiter.wait().await.unwrap_err().code, RefusalCode::LedgerUnavailable);
    assert_eq!(new.refused(1).code, RefusalCode::LedgerUnavailable, "at once");
}

#[test]
fn a_lost_answer_is_granted_once_and_a_stale_one_changes_nothing() {
    let mut world = World::new(100 * CENT);
    let Admission::Wait(waiter) = world.one.admit(10 * CENT) else { panic!("it is dear") };
    let first = world.one.sync.request(false);
    let lost = world.hub.sync(&first);
    world.one.sync.failed("lost");
    let granted = world.hub.leased(&world.pot());
    let second = world.one.sync.request(false);
    let answer = world.hub.sync(&second);
    assert_eq!(world.hub.leased(&world.pot()), granted, "the same want again");
    assert!(world.one.sync.answered(&lost).is_err());
    world.one.sync.answered(&answer).unwrap();
    let free = world.one.free();
    assert!(world.one.sync.answered(&answer).is_err());
    assert_eq!((world.one.free(), free), (granted, granted));
    drop(waiter);
}

#[test]
fn a_first_grant_that_was_lost_is_found_by_the_next_answer() {
    let mut world = World::new(100 * CENT);
    world.restart("boot-2", &budget(100 * CENT));
    let request = world.one.sync.request(false);
    world.hub.sync(&request);
    world.one.sync.failed("lost");
    world.one.sync(&mut world.hub);
    assert!(world.one.free() > 0);
    let mine = |it: &&super::hub::Lease| &*it.holder.1 == "boot-2";
    assert_eq!(world.hub.leases.values().filter(mine).count(), 1);
}

#[test]
fn a_recall_returns_what_is_free_and_keeps_what_is_reserved() {
    let mut world = World::new(100 * CENT);
    let charge = world.one.granted(1_000);
    world.hub.recall = true;
    world.one.sync(&mut world.hub);
    assert_eq!(world.one.free(), 0);
    world.hub.recall = false;
    world.one.sync(&mut world.hub);
    assert_eq!(world.hub.leased(&world.pot()), 1_000, "and nothing is fetched for a while");
    charge.settle(400);
    assert_eq!(world.settled(), 400);
}

#[test]
fn a_restored_ledger_voids_leases_and_hears_everything_again() {
    let mut world = World::new(100 * CENT);
    let running = world.one.granted(1_000);
    world.one.granted(500).settle(500);
    let key = pointsman_core::budget::UsageKey {
        model: "main/small",
        provider: "openai",
        workload: "support",
        team: "",
        key: "",
        endpoint: "chat",
    };
    let call = pointsman_core::budget::Usage {
        requests: 1,
        input_tokens: 2,
        output_tokens: 3,
        cost: 500,
        unconfirmed: 5,
    };
    world.one.book.usage().add(&key, call);
    world.one.sync(&mut world.hub);
    // The backup is older than the lease.
    world.hub.leases.clear();
    world.hub.usage.clear();
    world.hub.incarnation = 2;
    world.one.sync(&mut world.hub);
    assert_eq!(world.one.free(), 0, "void");
    world.one.sync(&mut world.hub);
    assert_eq!(world.hub.settled(&world.pot()), 500);
    assert_eq!(world.hub.usage.values().next().unwrap().cost, 500);
    world.one.granted(1).settle(0);
    running.settle(300);
    assert_eq!(world.settled(), 800);
    world.one.sync(&mut world.hub);
    let open = world.hub.leases.values().filter(|it| !it.closed).count();
    assert_eq!(open, 1, "the void one is closed, the new one open");
}

#[test]
fn a_gone_budget_that_returns_keeps_its_lease() {
    let mut world = World::new(100 * CENT);
    let running = world.one.granted(1_000);
    world.one.book.configure(&table(&[])).unwrap();
    world.one.sync(&mut world.hub);
    world.one.book.configure(&table(&[budget(100 * CENT)])).unwrap();
    world.one.sync(&mut world.hub);
    world.one.granted(1).settle(0);
    running.settle(10);
    assert_eq!(world.settled(), 10);
}

#[test]
fn a_running_stream_goes_on_on_the_lease_of_a_restored_ledger() {
    let mut world = World::new(100 * CENT);
    let free = world.one.free();
    let mut stream = world.one.granted(free);
    world.hub.leases.clear();
    world.hub.incarnation = 2;
    world.one.sync(&mut world.hub);
    assert!(!stream.top_up(CENT), "its lease is void and there is no other yet");
    assert_eq!(stream.reserved(), free);
    world.one.sync(&mut world.hub);
    assert!(stream.top_up(CENT), "the refusal asked for it");
    assert!(stream.top_up(1_000), "and it grows there");
    assert_eq!(stream.reserved(), free + CENT + 1_000);
    stream.settle(free + CENT / 2);
    assert_eq!(world.settled(), free + CENT / 2, "each picodollar on one lease");
    world.one.sync(&mut world.hub);
    let spent: Vec<_> = world.hub.leases.values().map(|it| (it.closed, it.spent)).collect();
    assert!(spent.contains(&(true, free)) && spent.contains(&(false, CENT / 2)), "{spent:?}");
    assert_eq!(world.hub.overrun(&world.pot()), 0);
}

#[test]
fn a_kill_after_the_move_leaves_both_parts_unconfirmed_once() {
    let mut world = World::new(100 * CENT);
    let free = world.one.free();
    let mut stream = world.one.granted(free);
    world.hub.leases.clear();
    world.hub.incarnation = 2;
    world.one.sync(&mut world.hub);
    assert!(!stream.top_up(CENT));
    world.one.sync(&mut world.hub);
    assert!(stream.top_up(CENT));
    let killed = world.restart("boot-2", &budget(100 * CENT));
    let recovered = std::mem::take(&mut world.one.recovered);
    let report = pointsman_core::ledger::farewell(&"one".into(), &recovered[0]);
    world.hub.sync(&report);
    assert_eq!(world.hub.unconfirmed(&world.pot()), free + CENT);
    drop((stream, killed));
}

#[test]
fn a_stream_whose_lease_is_lost_again_and_again_is_cut_in_the_end() {
    let mut world = World::new(100 * CENT);
    let mut stream = world.one.granted(1_000);
    for restored in 0..=LEASES_PER_CHARGE {
        world.hub.incarnation += 1;
        world.hub.leases.clear();
        world.one.sync(&mut world.hub);
        world.one.sync(&mut world.hub);
        assert_eq!(stream.top_up(1_000), restored < LEASES_PER_CHARGE, "{restored}");
    }
    let refusal = stream.shortage(1_000);
    assert_eq!((refusal.code, &*refusal.budget), (RefusalCode::LedgerUnavailable, "demo/team"));
    let reserved = stream.reserved();
    stream.settle(reserved);
    assert_eq!(world.settled(), reserved);
}

#[test]
fn a_lease_lasts_through_the_outage_horizon_at_the_steady_rate() {
    let mut world = World::new(1_000 * CENT);
    let per_call = CENT / 1_000;
    for second in 0..90_u64 {
        call_for_a_second(&mut world, per_call);
        if second % 25 == 0 || world.one.book.take_urgency() > Urgency::Renewal {
            world.one.sync(&mut world.hub);
        }
    }
    world.one.sync(&mut world.hub);
    cut_off(&mut world);
    for _ in 0..14 * 60 {
        call_for_a_second(&mut world, per_call);
    }
    world.advance_ms(60_000);
    assert_eq!(
        world.one.refused(per_call).code,
        RefusalCode::LedgerUnavailable,
        "its time is over"
    );
    assert!(world.hub.available(&world.pot()) >= 400 * CENT, "others find half of what is unspent");
}

#[test]
fn an_outage_that_begins_half_a_minute_after_the_first_call_is_lasted_through() {
    let mut world = World::new(1_000 * CENT);
    let per_call = CENT / 1_000;
    let mut synced_second = 0;
    for second in 0..30_u64 {
        call_for_a_second(&mut world, per_call);
        let due = (second - synced_second) * 1_000 >= world.one.book.renew_ms();
        if due || world.one.book.take_urgency() > Urgency::Renewal {
            world.one.sync(&mut world.hub);
            synced_second = second;
        }
    }
    cut_off(&mut world);
    for _ in 0..12 * 60 {
        call_for_a_second(&mut world, per_call);
    }
}

/// Ten calls.
fn call_for_a_second(world: &mut World, cost: u64) {
    for _ in 0..10 {
        world.one.granted(cost * 2).settle(cost);
        world.advance_ms(100);
    }
}
