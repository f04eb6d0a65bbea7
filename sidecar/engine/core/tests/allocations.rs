//! What a request allocates does not depend on its body's size (issue 3, DESIGN 4).
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use http::HeaderMap;
use pointsman_core::features::Task;
use pointsman_core::fleet::{Group, Load};
use pointsman_core::rules::{Facts, Rules};
use pointsman_core::scan::{LastText, ScanOptions, Scanner};
use pointsman_core::table::{EndpointSource, RouteTable};

thread_local! {
    static ALLOCATED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

struct Counting;

fn count(bytes: usize) {
    // A thread that is going away has no counter left, and nothing that we measure.
    let _ = ALLOCATED.try_with(|allocated| {
        let (times, total) = allocated.get();
        allocated.set((times + 1, total + bytes));
    });
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches a thread-local
// `Cell` without a destructor, which allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the pointer came from `System`; the caller keeps `realloc`'s contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and their bytes over one scan in pieces of 16 KiB.
fn allocated(body: &[u8]) -> (usize, usize) {
    let before = ALLOCATED.get();
    let mut scanner = Scanner::new(ScanOptions { detect_pii: true, keep_text: true });
    body.chunks(16 << 10).for_each(|piece| scanner.push(piece).unwrap());
    let scan = scanner.finish().unwrap();
    let after = ALLOCATED.get();
    assert!(scan.last_user_text.chars > 500 && scan.model.is_some());
    (after.0 - before.0, after.1 - before.1)
}

fn body(turns: usize, words: usize) -> Vec<u8> {
    let text = "wörds \\\"of\\\" some\\nprompt ".repeat(words);
    let turn = format!(
        "{{\"role\":\"user\",\"content\":\"{text}\"}},{{\"role\":\"assistant\",\"content\":\"{text}\"}},"
    );
    let turns = turn.repeat(turns);
    let last = format!("{{\"role\":\"user\",\"content\":\"{text}\"}}");
    format!("{{\"messages\":[{turns}{last}],\"model\":\"gpt-4o\"}}").into_bytes()
}

#[test]
fn allocations_do_not_depend_on_body_size() {
    let small = body(0, 40);
    assert!((1_000..2_000).contains(&small.len()));
    let (times, bytes) = allocated(&small);
    assert!(times <= 8 && bytes <= 16 << 10, "{times} allocations of {bytes} bytes");
    for (large, least) in [(body(0, 800_000), 20_000_000), (body(1_000, 40), 2_000_000)] {
        assert!(large.len() >= least);
        let (large_times, large_bytes) = allocated(&large);
        // One more message's buffers, once; the same for two messages and for two thousand.
        assert!(
            large_times <= times + 2 && large_bytes <= bytes + (8 << 10),
            "{large_times} of {large_bytes}"
        );
    }
}

#[test]
fn matching_rules_allocates_nothing() {
    let table: RouteTable = serde_json::from_str(
        r#"{"version": 1, "minReader": 1, "policy": {"namespace": "d", "name": "p"}, "models": [],
        "signals": [{"name": "legal", "keywords": ["contract", "terms of service", "HAFTUNG"]},
            {"name": "code", "task": "code"}, {"name": "batch", "header": {"name": "x-batch", "values": ["1"]}},
            {"name": "auto", "models": ["a*o", "*-mini-*"]}, {"name": "long", "tokens": {"min": 9000}}],
        "rules": [
            {"name": "a", "when": {"anyOf": ["legal", "code", "batch"]}, "route": {"strategy": "Failover", "candidates": []}},
            {"name": "b", "when": {"allOf": ["auto"], "noneOf": ["long"], "models": ["*u*"]}, "route": {"strategy": "Failover", "candidates": []}}],
        "default": {"action": "Deny"}}"#,
    )
    .unwrap();
    let rules = Rules::new(&table).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-batch", "0".parse().unwrap());
    let text =
        LastText { head: "Ünser contracts İn terms of use. ".repeat(15), ..LastText::default() };
    let facts = Facts {
        headers: &headers,
        model: "auto",
        text: &text,
        tokens: 10,
        pii: false,
        task: &|| Task::Chat,
    };
    let before = ALLOCATED.get();
    let matched = rules.first_match(&facts);
    let held = rules.signals(matched).count();
    assert_eq!(ALLOCATED.get(), before);
    assert_eq!((matched.rule, held), (Some(1), 1));
}

#[test]
fn drawing_an_endpoint_allocates_nothing() {
    let group = Group::new(EndpointSource::Pods, "http://endpoints.invalid:8000/v1").unwrap();
    let endpoints: Vec<_> = (0..100)
        .map(|place| serde_json::json!({"url": format!("http://10.0.0.{place}:8000"), "level": place % 5}))
        .collect();
    let told = serde_json::json!({"state": "Ready", "endpoints": endpoints});
    group.tell(group.members(&serde_json::from_value(told).unwrap()).unwrap());
    let mut rng = fastrand::Rng::with_seed(1);
    drop(group.take(|_| false, 0, &mut rng)); // the first look of a thread makes arc-swap's slot
    let before = ALLOCATED.get();
    assert_eq!(group.load(1), Load::Free);
    let taken = group.take(|_| false, 1, &mut rng).unwrap();
    taken.first_token.add(1_000);
    drop(taken);
    assert_eq!(ALLOCATED.get(), before);
}
