//! What a scan allocates does not depend on the body's size (issue 3, DESIGN 4).
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use pointsman_core::scan::{ScanOptions, Scanner};

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
    for large in [body(0, 800_000), body(4_000, 80), body(100_000, 40)] {
        assert!(large.len() > 15_000_000);
        let (large_times, large_bytes) = allocated(&large);
        // One more message's buffers, once; the same for two messages and for a hundred thousand.
        assert!(
            large_times <= times + 2 && large_bytes <= bytes + (8 << 10),
            "{large_times} of {large_bytes}"
        );
    }
}
