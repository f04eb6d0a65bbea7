//! How long callers wait for a ledger that is slow, and for one that is silent; on paused time.

use std::time::Duration;

use pointsman_core::budget::{Admission, BudgetRefusal, Charge, RefusalCode};
use serde_json::json;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep, sleep_until};

use super::hub::Lease;
use super::world::{CENT, DAY, World, budget};

type Waiting = JoinHandle<(Result<Charge, BudgetRefusal>, Duration)>;

/// A caller that waits for half of the limit.
async fn waiting(world: &World) -> Waiting {
    let Admission::Wait(waiter) = world.one.admit(50 * CENT) else { panic!("it is dear") };
    let begun = Instant::now();
    let task = tokio::spawn(async move { (waiter.wait().await, begun.elapsed()) });
    yield_now().await;
    task
}

async fn at_ms(begun: Instant, ms: u64) {
    sleep_until(begun + Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_on_its_way_is_waited_for() {
    let mut world = World::new(100 * CENT);
    let begun = Instant::now();
    let caller = waiting(&world).await;
    let request = world.one.sync.request(false);
    at_ms(begun, 1_900).await;
    let answer = world.hub.sync(&request);
    world.one.sync.answered(&answer).unwrap();
    let (decided, elapsed) = caller.await.unwrap();
    assert_eq!(decided.unwrap().reserved(), 50 * CENT);
    assert_eq!(elapsed.as_millis(), 1_900, "and served at once");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_too_long_is_not() {
    let mut world = World::new(100 * CENT);
    let begun = Instant::now();
    let early = waiting(&world).await;
    let _never_answered = world.one.sync.request(false);
    at_ms(begun, 1_900).await;
    let late = waiting(&world).await;
    let (decided, elapsed) = early.await.unwrap();
    assert_eq!(decided.unwrap_err().code, RefusalCode::LedgerUnavailable);
    assert_eq!(elapsed.as_millis(), 2_000);
    let (decided, elapsed) = late.await.unwrap();
    assert_eq!(decided.unwrap_err().code, RefusalCode::LedgerUnavailable);
    assert_eq!(elapsed.as_millis(), 250, "the exchange is too old to hope for");
}

#[tokio::test(start_paused = true)]
async fn a_failure_ends_the_longer_wait_at_once() {
    let mut world = World::new(100 * CENT);
    let begun = Instant::now();
    let caller = waiting(&world).await;
    let _lost = world.one.sync.request(false);
    at_ms(begun, 600).await;
    world.one.sync.failed("lost");
    let (decided, elapsed) = caller.await.unwrap();
    assert_eq!(decided.unwrap_err().code, RefusalCode::LedgerUnavailable);
    assert_eq!(elapsed.as_millis(), 600);
    let _second = world.one.sync.request(false);
    let (_, elapsed) = waiting(&world).await.await.unwrap();
    assert_eq!(elapsed.as_millis(), 250, "after a failure nobody waits longer");
}

#[tokio::test(start_paused = true)]
async fn a_want_that_came_during_an_exchange_waits_for_the_next() {
    let mut world = World::new(100 * CENT);
    let begun = Instant::now();
    let without_it = world.one.sync.request(false);
    let caller = waiting(&world).await;
    at_ms(begun, 800).await;
    let answer = world.hub.sync(&without_it);
    world.one.sync.answered(&answer).unwrap();
    at_ms(begun, 820).await;
    let with_it = world.one.sync.request(false);
    at_ms(begun, 1_600).await;
    let answer = world.hub.sync(&with_it);
    world.one.sync.answered(&answer).unwrap();
    assert!(caller.await.unwrap().0.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_answers_without_a_word_on_it_is_not_asked_for_ever() {
    let mut world = World::new(100 * CENT);
    world.hub.limits.remove(DAY);
    let caller = waiting(&world).await;
    for _ in 0..3 {
        let request = world.one.sync.request(false);
        sleep(Duration::from_millis(200)).await;
        let answer = world.hub.sync(&request);
        world.one.sync.answered(&answer).unwrap();
        yield_now().await;
    }
    let (decided, elapsed) = caller.await.unwrap();
    assert_eq!(decided.unwrap_err().code, RefusalCode::LedgerUnavailable);
    assert_eq!(elapsed.as_millis(), 400, "the second answer may have been to it");
}

#[tokio::test(start_paused = true)]
async fn a_running_stream_waits_for_a_slow_answer_as_well() {
    let mut world = World::new(100 * CENT);
    let free = world.one.free();
    let mut charge = world.one.granted(free);
    assert!(!charge.top_up(CENT));
    let request = world.one.sync.request(false);
    let book = world.one.book.clone();
    let patience = book.patience();
    sleep(Duration::from_millis(1_000)).await;
    assert!(book.patience_end(&patience) > Instant::now(), "its answer is on its way");
    assert!(!charge.top_up(CENT));
    let answer = world.hub.sync(&request);
    world.one.sync.answered(&answer).unwrap();
    assert!(charge.top_up(CENT));
    charge.settle(0);
}

/// Most is leased to another, which the hub calls to give it back.
fn call_another(world: &mut World) {
    let holder = ("two".into(), "boot-1".into());
    let (pot, granted, expires_ms) = (world.pot(), 80 * CENT, i64::MAX);
    let lease = Lease { holder, pot, granted, expires_ms, ..Lease::default() };
    world.hub.leases.insert("another".into(), lease);
    world.hub.wait_ms = Some(100);
}

#[tokio::test(start_paused = true)]
async fn what_others_are_called_to_give_back_is_waited_for() {
    let mut world = World::new(100 * CENT);
    call_another(&mut world);
    let begun = Instant::now();
    let caller = waiting(&world).await;
    for asked_ms in [10, 600, 1_800] {
        at_ms(begun, asked_ms).await;
        world.one.sync(&mut world.hub);
        assert_eq!(world.one.book.pause_ms(), 100);
    }
    world.hub.leases.get_mut("another").unwrap().returned = 80 * CENT;
    at_ms(begun, 2_500).await;
    world.one.sync(&mut world.hub);
    let (decided, elapsed) = caller.await.unwrap();
    assert_eq!(decided.unwrap().reserved(), 50 * CENT);
    assert_eq!(elapsed.as_millis(), 2_500);
    assert_eq!(world.one.book.pause_ms(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_hubs_last_word_ends_the_wait_for_others() {
    let mut world = World::new(100 * CENT);
    call_another(&mut world);
    let begun = Instant::now();
    let caller = waiting(&world).await;
    world.one.sync(&mut world.hub);
    at_ms(begun, 1_000).await;
    world.hub.wait_ms = None;
    world.one.sync(&mut world.hub);
    let (decided, elapsed) = caller.await.unwrap();
    assert_eq!(decided.unwrap_err().code, RefusalCode::Exhausted);
    assert_eq!(elapsed.as_millis(), 1_000);
    assert_eq!(world.one.refused(50 * CENT).code, RefusalCode::Exhausted, "at once");
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_only_says_wait_is_not_believed_for_ever() {
    let mut lenient = budget(100 * CENT);
    lenient["enforcement"]["onLedgerUnavailable"] = json!("Allow");
    let mut world = World::with(100 * CENT, &lenient);
    call_another(&mut world);
    let begun = Instant::now();
    let caller = waiting(&world).await;
    for asked_ms in (0..5_000).step_by(100) {
        at_ms(begun, asked_ms).await;
        world.one.sync(&mut world.hub);
    }
    let (decided, elapsed) = caller.await.unwrap();
    let code = decided.unwrap_err().code;
    assert_eq!(code, RefusalCode::Exhausted, "the ledger is there: `Allow` does not go beyond it");
    assert_eq!(elapsed.as_millis(), 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_goes_away_is_not_waited_for_on_its_word() {
    let mut world = World::new(100 * CENT);
    call_another(&mut world);
    let begun = Instant::now();
    let caller = waiting(&world).await;
    world.one.sync(&mut world.hub);
    at_ms(begun, 700).await;
    let _lost = world.one.sync.request(false);
    world.one.sync.failed("lost");
    let (decided, elapsed) = caller.await.unwrap();
    assert_eq!(decided.unwrap_err().code, RefusalCode::LedgerUnavailable);
    assert_eq!(elapsed.as_millis(), 700);
}
