//! What drawing an endpoint promises, on random fleets: never a full one while a free one is there, an
//! even load, no call lost when endpoints come and go.

#![expect(clippy::unwrap_used, reason = "a test file: what cannot be made fails the test")]

use std::sync::Arc;
use std::time::Duration;

use pointsman_core::error::Class;
use pointsman_core::fleet::{Group, Load, Member, Occupied, Slot, Told, pick};
use pointsman_core::limits::{ENDPOINTS_KNOWN, FULL_LEVEL};
use pointsman_core::table::EndpointSource;
use proptest::prelude::*;

/// (level, own calls in flight, its breaker is open)
type Shape = (u8, u32, bool);

fn slots(shapes: &[Shape]) -> (Vec<Slot>, Vec<Occupied>) {
    let mut calls = Vec::new();
    let slot = |(place, (level, in_flight, cooling)): (usize, &Shape)| {
        let member = Arc::new(Member::new(&format!("http://10.0.0.{place}:80"), "/v1").unwrap());
        calls.extend((0..*in_flight).map(|_| Occupied::new(member.clone())));
        if *cooling {
            member.breaker.on_unreachable(Class::Connect, 0);
        }
        Slot { level: *level, member }
    };
    let made = shapes.iter().enumerate().map(slot).collect();
    (made, calls)
}

fn told(document: serde_json::Value) -> Told {
    serde_json::from_value(document).unwrap()
}

fn listing(urls: &[String], level: u8) -> Told {
    let endpoints: Vec<_> =
        urls.iter().map(|url| serde_json::json!({"url": url, "level": level})).collect();
    told(serde_json::json!({"state": "Ready", "endpoints": endpoints}))
}

fn group() -> Group {
    Group::new(EndpointSource::Pods, "http://endpoints.invalid:8000/v1").unwrap()
}

fn tell(group: &Group, told: &Told) {
    group.tell(group.members(told).unwrap());
}

const NEVER: fn(&Arc<Member>) -> bool = |_| false;

proptest! {
    /// A full, a resting or an already tried endpoint is drawn only where all that are better are gone.
    #[test]
    fn a_worse_endpoint_is_never_drawn_while_a_better_one_is_there(
        shapes in prop::collection::vec((0_u8..=FULL_LEVEL, 0_u32..4, any::<bool>()), 1..12),
        tried in prop::collection::vec(any::<bool>(), 12),
        seed in any::<u64>(),
    ) {
        let (slots, _calls) = slots(&shapes);
        let place = |member: &Arc<Member>| {
            slots.iter().position(|slot| Arc::ptr_eq(&slot.member, member)).unwrap()
        };
        let rank = |place: usize| match shapes[place] {
            _ if tried[place] => 3,
            (_, _, true) => 2,
            (level, _, _) => u8::from(level == FULL_LEVEL),
        };
        let mut rng = fastrand::Rng::with_seed(seed);
        let drawn = pick(&slots, |member| tried[place(member)], 1, &mut rng).unwrap();
        let best = (0..shapes.len()).map(rank).min().unwrap();
        prop_assert_eq!(rank(place(&drawn.member)), best);
    }

    /// Of two, the less loaded by (level, own calls in flight) always wins.
    #[test]
    fn of_two_the_less_loaded_is_taken(
        one in (0_u8..FULL_LEVEL, 0_u32..5),
        two in (0_u8..FULL_LEVEL, 0_u32..5),
        seed in any::<u64>(),
    ) {
        let (slots, _calls) = slots(&[(one.0, one.1, false), (two.0, two.1, false)]);
        let mut rng = fastrand::Rng::with_seed(seed);
        let drawn = pick(&slots, NEVER, 1, &mut rng).unwrap();
        let load = (drawn.level, drawn.member.in_flight());
        prop_assert_eq!(load, one.min(two));
    }
}

/// Equal endpoints share calls: the fullest of ten has at most a few more than the emptiest.
#[test]
fn load_is_even() {
    let (slots, _) = slots(&[(0, 0, false); 10]);
    let mut rng = fastrand::Rng::with_seed(7);
    let calls: Vec<Occupied> = (0..1_000)
        .map(|_| Occupied::new(pick(&slots, NEVER, 1, &mut rng).unwrap().member.clone()))
        .collect();
    let counts: Vec<u32> = slots.iter().map(|slot| slot.member.in_flight()).collect();
    let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
    assert!(spread <= 6, "{counts:?}: at random alone it would be about 30");
    drop(calls);
    assert!(slots.iter().all(|slot| slot.member.in_flight() == 0));
}

/// A call keeps its endpoint when that vanishes; one that returns goes on counting.
#[test]
fn endpoints_come_and_go_without_losing_calls() {
    let (group, mut rng) = (group(), fastrand::Rng::with_seed(1));
    assert_eq!(group.load(0), Load::NoEndpoint);
    assert!(group.patience().is_some(), "nothing was told yet");
    let urls = ["http://10.0.0.1:8000".to_owned(), "http://10.0.0.2:8000".to_owned()];
    tell(&group, &listing(&urls[..1], 0));
    assert!(group.patience().is_none());
    let call = group.take(NEVER, 0, &mut rng).unwrap();
    call.count_served();
    assert_eq!(call.endpoint.chat.to_string(), "http://10.0.0.1:8000/v1/chat/completions");
    tell(&group, &listing(&urls[1..], 0));
    for _ in 0..20 {
        assert_eq!(&*group.take(NEVER, 0, &mut rng).unwrap().url, urls[1]);
    }
    assert_eq!((&*call.url, call.in_flight()), (&*urls[0], 1));
    tell(&group, &listing(&urls, 0));
    let back = &group.slots()[0].member;
    assert_eq!((back.served(), back.in_flight()), (1, 1));
}

/// The best of the endpoints decides; without one, what the hub says of why.
#[test]
fn load_says_what_the_best_endpoint_offers() {
    let group = group();
    let urls: Vec<String> = (1..=3).map(|place| format!("http://10.0.0.{place}:8000")).collect();
    for (state, load) in [
        ("Starting", Load::ColdStart),
        ("Asleep", Load::ColdStart),
        ("Absent", Load::NoEndpoint),
        ("Ready", Load::NoEndpoint),
    ] {
        tell(&group, &told(serde_json::json!({"state": state})));
        assert_eq!(group.load(0), load, "{state}");
    }
    tell(&group, &listing(&urls, FULL_LEVEL));
    assert_eq!(group.load(0), Load::Saturated);
    group.slots().iter().for_each(|slot| slot.member.breaker.on_unreachable(Class::Connect, 0));
    assert_eq!(group.load(1), Load::Cooling);
    let mut mixed = listing(&urls, FULL_LEVEL);
    mixed.endpoints.extend(listing(&["http://10.0.0.9:8000".to_owned()], 3).endpoints);
    tell(&group, &mixed);
    assert_eq!(group.load(1), Load::Free);
}

/// A Service answers under its own name until its endpoints are told, and after nobody tells them.
#[test]
fn a_service_has_an_address_of_its_own() {
    let group = Group::new(EndpointSource::Service, "http://llama.models.svc:8000/v1/").unwrap();
    let own = |group: &Group| group.slots()[0].member.endpoint.chat.to_string();
    assert_eq!(own(&group), "http://llama.models.svc:8000/v1/chat/completions");
    assert_eq!((group.load(0), group.told_slots().len()), (Load::Free, 0));
    tell(&group, &listing(&["http://10.0.0.1:8000".to_owned()], 0));
    assert_eq!(own(&group), "http://10.0.0.1:8000/v1/chat/completions");
    tell(&group, &told(serde_json::json!({"state": "Asleep"})));
    assert_eq!(group.load(0), Load::ColdStart, "its name would lead to a sleeper");
    group.tell(group.untold());
    assert_eq!(group.load(0), Load::Free);
}

/// Nothing comes any more from an endpoint that the hub names neither among those that take calls nor
/// among those that are there all the same; an older hub, which does not name the latter, tells nothing.
#[tokio::test]
async fn an_endpoint_leaves_when_it_sleeps_or_is_gone() {
    let (group, mut rng) = (group(), fastrand::Rng::with_seed(1));
    let urls = ["http://10.0.0.1:8000".to_owned()];
    tell(&group, &listing(&urls, 0));
    let call = group.take(NEVER, 0, &mut rng).unwrap();
    let left = |document| {
        tell(&group, &told(document));
        group.has_left(&call)
    };
    assert!(!left(serde_json::json!({"state": "Absent"})), "an older hub");
    assert!(!left(serde_json::json!({"state": "Starting", "unready": urls})), "on its way out");
    assert!(left(serde_json::json!({"state": "Asleep", "unready": []})));
    let listed = serde_json::json!([{"url": urls[0]}]);
    assert!(!left(serde_json::json!({"state": "Ready", "endpoints": listed, "unready": []})));
    group.tell(group.untold());
    assert!(!group.has_left(&call), "the hub does not speak of the model any more");

    let mut leaving = Box::pin(group.leaves(&call, |group| group.has_other(NEVER, 0)));
    let mut waits = async || tokio::time::timeout(Duration::ZERO, &mut leaving).await.is_err();
    assert!(waits().await);
    tell(&group, &told(serde_json::json!({"state": "Asleep", "unready": []})));
    assert!(waits().await, "it has left, and there is nowhere else to go");
    let other = serde_json::json!([{"url": "http://10.0.0.2:8000"}]);
    tell(&group, &told(serde_json::json!({"state": "Ready", "endpoints": other, "unready": []})));
    assert!(!waits().await);
}

/// A Service's own name is no endpoint that could leave.
#[test]
fn a_call_by_a_services_name_stays_when_its_endpoints_are_told() {
    let group = Group::new(EndpointSource::Service, "http://llama.models.svc:8000/v1").unwrap();
    let call = group.take(NEVER, 0, &mut fastrand::Rng::with_seed(1)).unwrap();
    tell(&group, &told(serde_json::json!({"state": "Asleep", "unready": []})));
    assert!(!group.has_left(&call));
}

/// I6: pods that are replaced for ever do not pile up.
#[test]
fn what_is_remembered_is_bounded() {
    let (group, mut rng) = (group(), fastrand::Rng::with_seed(1));
    tell(&group, &listing(&["http://10.9.9.9:8000".to_owned()], 0));
    let call = group.take(NEVER, 0, &mut rng).unwrap();
    for place in 0..ENDPOINTS_KNOWN * 2 {
        let url = format!("http://10.{}.{}.1:8000", place / 256, place % 256);
        tell(&group, &listing(&[url], 0));
        assert!(group.known() <= ENDPOINTS_KNOWN);
    }
    tell(&group, &listing(&["http://10.9.9.9:8000".to_owned()], 0));
    assert_eq!(group.slots()[0].member.in_flight(), 1, "one with a call is not forgotten");
    drop(call);
}

/// Whoever waits for an endpoint hears of the first one, and no longer than it wants.
#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_first_endpoint() {
    let group = Arc::new(group());
    let soon = tokio::time::Instant::now() + Duration::from_secs(30);
    assert!(!group.appears(soon).await);
    let later = soon + Duration::from_secs(30);
    let waiting = tokio::spawn({
        let group = group.clone();
        async move { group.appears(later).await }
    });
    tokio::task::yield_now().await;
    tell(&group, &told(serde_json::json!({"state": "Starting"})));
    tokio::task::yield_now().await;
    tell(&group, &listing(&["http://10.0.0.1:8000".to_owned()], FULL_LEVEL));
    assert!(waiting.await.unwrap());
    assert!(tokio::time::Instant::now() < later);
}
