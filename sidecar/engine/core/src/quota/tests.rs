//! Shares as their holder spends them, on a clock that the tests move.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;
use crate::clock::ManualClock;
use crate::limits::QUOTA_HORIZON_MS;

struct World {
    clock: Arc<ManualClock>,
    quotas: Quotas,
    quota: Arc<Quota>,
    granted: u64,
}

impl World {
    fn new(limits: &str) -> Self {
        let clock = Arc::new(ManualClock::new(0));
        let quotas = Quotas::new(clock.clone());
        let quota = quotas.configure(&table(limits)).remove(0).unwrap();
        Self { clock, quotas, quota, granted: 0 }
    }

    /// The hub's word on one kind, in the first term.
    fn grant(&mut self, unit: Unit, granted: u64, keep: u64) -> bool {
        self.granted = self.granted.max(granted);
        let limit: Arc<str> = "demo/main/m".into();
        let hold = HoldGrant { limit, unit, term: 1, granted, keep, meant: keep };
        let answer =
            LimitsAnswer { seq: 1, horizon_ms: QUOTA_HORIZON_MS, again_ms: 0, holds: vec![hold] };
        self.quotas.hear(&answer, self.clock.boot_us_ms())
    }

    fn report(&self, unit: Unit) -> HoldReport {
        self.quotas.report(false).into_iter().find(|it| it.unit == unit).unwrap()
    }

    /// How many calls go out at once now.
    fn burst(&self, tokens: u64) -> Vec<Taken> {
        std::iter::from_fn(|| self.quota.take(tokens, false).ok()).take(10_000).collect()
    }

    /// Lets go of calls that were answered as expected.
    fn answered(taken: Vec<Taken>) {
        taken.into_iter().for_each(|it| it.settle(None, false));
    }
}

impl ManualClock {
    fn boot_us_ms(&self) -> u64 {
        crate::clock::Clock::boot_ms(self)
    }
}

fn table(limits: &str) -> RouteTable {
    let text = format!(
        r#"{{"version":1,"minReader":5,"policy":{{"namespace":"demo","name":"p"}},"models":[{{
        "name":"main/m","pool":{{"namespace":"demo","name":"main"}},"capabilities":["chat"],
        "contextWindow":1,"maxOutputTokens":1,"pricing":{{"input":1,"output":1}},
        "provider":{{"type":"OpenAI","label":"x","model":"m","baseURL":"http://x/v1"}}{limits}}}],
        "default":{{"action":"Deny"}}}}"#
    );
    crate::check::read(text.as_bytes()).unwrap()
}

const REQUESTS: &str = r#","limits":{"account":"demo/main/m","requestsPerMinute":600}"#;
const TOKENS: &str = r#","limits":{"account":"demo/main/m","tokensPerMinute":6000}"#;
const SLOTS: &str = r#","limits":{"account":"demo/main/m","maxInFlight":10}"#;

#[test]
fn nothing_goes_out_without_a_share() {
    let mut world = World::new(REQUESTS);
    assert!(world.burst(1).is_empty());
    assert!(!world.quota.has_room(1));
    world.grant(Unit::Requests, 600, 600);
    assert!(world.quota.has_room(1));
}

#[test]
fn a_rate_is_spent_evenly_but_for_three_seconds_and_rests_for_a_minute() {
    let mut world = World::new(REQUESTS);
    world.grant(Unit::Requests, 600, 600);
    let burst = world.burst(1);
    assert_eq!(burst.len(), 31, "three seconds' worth, and the one that goes beyond");
    World::answered(burst);
    world.clock.advance_ms(1_000);
    let next = world.burst(1);
    assert_eq!(next.len(), 10, "ten a second");
    World::answered(next);
    let mut sent = 41;
    for _ in 1..60 {
        world.clock.advance_ms(1_000);
        let more = world.burst(1);
        sent += more.len();
        World::answered(more);
    }
    assert_eq!(sent, 600, "not one more within the minute");
}

#[test]
fn tokens_are_settled_by_what_was_used() {
    let mut world = World::new(TOKENS);
    world.grant(Unit::Tokens, 6_000, 6_000);
    let large = world.quota.take(5_000, false).unwrap();
    assert!(world.quota.take(5_000, false).is_err());
    large.settle(Some(100), false);
    let again = world.quota.take(5_000, false).unwrap();
    again.settle(Some(7_000), false);
    let shortage = world.quota.refuse(1);
    assert_eq!((shortage.unit, shortage.limit, shortage.held), (Unit::Tokens, 6_000, 6_000));
    assert!(shortage.wait_s > 1, "it came to more than there was: {shortage:?}");
    assert_eq!(world.report(Unit::Tokens).need, 0, "nobody asked");
}

#[test]
fn a_call_larger_than_the_limit_takes_all_of_it() {
    let mut world = World::new(TOKENS);
    world.quota.note_asked(50_000);
    assert_eq!(world.report(Unit::Tokens).need, 6_000);
    world.grant(Unit::Tokens, 6_000, 6_000);
    drop(world.quota.take(50_000, false).unwrap());
    assert!(world.quota.take(1, false).is_err());
}

#[test]
fn an_abandoned_calls_place_rests_a_moment() {
    let mut world = World::new(SLOTS);
    world.grant(Unit::InFlight, 2, 2);
    let mut open = world.burst(1);
    assert_eq!(open.len(), 2);
    open.pop().unwrap().settle(None, false);
    assert_eq!(world.burst(1).len(), 1, "its end is known");
    drop(open.pop());
    assert!(world.burst(1).is_empty(), "dropped: the provider may still be at it");
    world.clock.advance_ms(2_000);
    assert_eq!(world.burst(1).len(), 2);
}

#[test]
fn what_takes_longest_is_told_and_a_place_takes_a_moment() {
    let mut world = World::new(
        r#","limits":{"account":"demo/main/m","requestsPerMinute":60,"maxInFlight":10}"#,
    );
    world.grant(Unit::Requests, 60, 60);
    world.grant(Unit::InFlight, 2, 2);
    let open = world.burst(1);
    let places = world.quota.refuse(1);
    assert_eq!((open.len(), places.unit, places.wait_s), (2, Unit::InFlight, 1));
    World::answered(open);
    for _ in 0..10 {
        World::answered(world.burst(1));
    }
    let rate = world.quota.refuse(1);
    assert_eq!((rate.unit, rate.held), (Unit::Requests, 60));
    let calls = [Unit::Requests, Unit::InFlight].map(|unit| world.report(unit).calls.refused);
    assert_eq!(calls, [1, 1]);
}

#[test]
fn only_what_has_rested_is_given_back() {
    let mut world = World::new(REQUESTS);
    world.grant(Unit::Requests, 100, 100);
    let used = world.burst(1).len() as u64;
    assert!(world.grant(Unit::Requests, 100, 0));
    let report = world.report(Unit::Requests);
    assert_eq!((report.returned, report.used), (100 - used, used));
    assert!(!world.grant(Unit::Requests, 100, 0), "the rest was used");
    world.clock.advance_ms(62_000);
    assert!(world.grant(Unit::Requests, 100, 0));
    assert_eq!(world.report(Unit::Requests).returned, 100);
}

#[test]
fn a_share_lapses_in_time_and_late_words_are_not_taken() {
    let mut world = World::new(REQUESTS);
    world.grant(Unit::Requests, 100, 100);
    world.clock.advance_ms(QUOTA_HORIZON_MS - 1);
    assert!(world.quota.has_room(1));
    world.clock.advance_ms(1);
    assert!(!world.quota.has_room(1));
    let report = world.report(Unit::Requests);
    assert_eq!((report.term, report.granted, report.returned), (2, 0, 0));
    world.grant(Unit::Requests, 200, 200);
    assert!(!world.quota.has_room(1), "that was of the first term");
}

#[test]
fn what_a_table_has_no_more_is_given_back_and_forgotten() {
    let mut world = World::new(REQUESTS);
    world.grant(Unit::Requests, 100, 100);
    let none = world.quotas.configure(&table(""));
    assert!(none[0].is_none());
    assert!(world.quota.has_room(1_000), "calls under the old table are free, too");
    assert_eq!(world.report(Unit::Requests).returned, 100);
}

#[test]
fn the_load_is_told_with_a_margin_and_forgotten_in_ten_seconds() {
    let world = World::new(REQUESTS);
    for _ in 0..10 {
        world.quota.note_asked(1);
    }
    let report = world.report(Unit::Requests);
    assert_eq!((report.want, report.need), (75, 1), "ten in ten seconds, and a quarter more");
    world.clock.advance_ms(10_000);
    assert_eq!(world.report(Unit::Requests).want, 0);
}

#[tokio::test(start_paused = true)]
async fn callers_wait_in_line_for_a_share_and_leave_it_when_they_go() {
    let mut world = World::new(SLOTS);
    let until = Instant::now() + Duration::from_secs(5);
    let quota = world.quota.clone();
    let first =
        tokio::spawn(async move { quota.acquire(1, until).await.map(|it| it.settle(None, false)) });
    tokio::task::yield_now().await;
    let quota = world.quota.clone();
    let gone = tokio::spawn(async move { quota.acquire(1, until).await });
    tokio::task::yield_now().await;
    let quota = world.quota.clone();
    let last =
        tokio::spawn(async move { quota.acquire(1, until).await.map(|it| it.settle(None, false)) });
    tokio::task::yield_now().await;
    let calls = world.report(Unit::InFlight).calls;
    assert_eq!((calls.waiting, calls.waited, calls.refused), (3, 3, 0));
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    world.grant(Unit::InFlight, 1, 1);
    assert!(first.await.unwrap().is_ok());
    assert!(last.await.unwrap().is_ok());
    assert!(Instant::now() < until, "woken, not timed out");
    let calls = world.report(Unit::InFlight).calls;
    assert_eq!((calls.waiting, calls.waited, calls.refused), (0, 3, 0));
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_is_told_by_what() {
    let world = World::new(SLOTS);
    let until = Instant::now() + Duration::from_secs(5);
    let shortage = world.quota.acquire(1, until).await.unwrap_err();
    assert_eq!((shortage.unit, shortage.limit, shortage.held), (Unit::InFlight, 10, 0));
    assert_eq!(shortage.wait_s, limits::QUOTA_RETRY_S);
    assert!(Instant::now() >= until);
    let report = world.report(Unit::InFlight);
    assert_eq!((report.used, report.calls), (0, Calls { waiting: 0, waited: 1, refused: 1 }));
}

proptest! {
    /// However calls come and the hub moves the share, no minute sees more than was granted and kept.
    #[test]
    fn no_minute_sees_more_than_is_held(
        steps in prop::collection::vec((0_u64..4_000, 0_u64..40, 0_u64..120, any::<bool>()), 1..120)
    ) {
        let mut world = World::new(REQUESTS);
        let (mut granted, mut sent) = (60_u64, Vec::<(u64, u64)>::new());
        for (pause_ms, calls, keep, more) in steps {
            world.clock.advance_ms(pause_ms);
            granted += if more { 10 } else { 0 };
            world.grant(Unit::Requests, granted, keep);
            let report = world.report(Unit::Requests);
            let held = report.granted - report.returned;
            let now_ms = world.clock.boot_us_ms();
            let out = std::iter::from_fn(|| world.quota.take(1, false).ok()).take(calls as usize);
            let out: Vec<_> = out.collect();
            sent.push((now_ms, out.len() as u64));
            World::answered(out);
            let minute = sent.iter().filter(|(at, _)| now_ms - at < 60_000).map(|(_, count)| count);
            // What was given back had rested: it was not among these.
            prop_assert!(minute.sum::<u64>() <= held);
        }
    }
}
