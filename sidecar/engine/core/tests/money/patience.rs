//! How long callers wait for a ledger that is slow, and for one that is silent; on paused time.

use std::time::Duration;

use pointsman_core::budget::{Admission, BudgetRefusal, Charge, RefusalCode};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep, sleep_until};

use super::world::{CENT, DAY, World};

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
