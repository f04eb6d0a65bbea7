//! How fast a body is scanned: `cargo run --release --example scan_speed [PART OF A NAME]`.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement printed for people")]

use std::hint::black_box;
use std::time::Instant;

use pointsman_core::scan::{ScanOptions, Scanner};

const ROUNDS: u32 = 7;

fn main() {
    let line = "The quick brown fox jumps over the lazy dog, again and again and again. ";
    let prose = line.repeat(12);
    let chat = format!(
        "{{\"model\":\"auto\",\"messages\":[{{\"role\":\"system\",\"content\":\"You are terse.\"}},\
         {{\"role\":\"user\",\"content\":\"{prose}\"}}],\"temperature\":0.2,\"max_tokens\":256,\"stream\":true}}"
    );
    let user = |text: &str| {
        format!(
            "{{\"model\":\"auto\",\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}"
        )
    };
    let bodies = [
        ("chat, 1 KB", chat),
        ("string, 200 KB", user(&line.repeat(2_840))),
        ("lines, 200 KB", user(&format!("{line}\\n").repeat(2_760))),
        ("numbers, 200 KB", user(&"cost 12.50 for 3 of 1,024 items in 2024; ".repeat(5_000))),
        ("Chinese, 200 KB", user(&"今天天气很好我们去公园散步吧".repeat(4_900))),
        ("image, 2 MB", user(&"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0NTY3ODkwYWJj".repeat(43_000))),
        ("tokens, 200 KB", format!("{{\"model\":\"e\",\"input\":[{}1]}}", "12345,".repeat(33_000))),
    ];
    let only = std::env::args().nth(1).unwrap_or_default();
    for (name, body) in bodies.iter().filter(|(name, _)| name.contains(&only)) {
        for (mode, detect_pii, keep_text) in
            [("bare", false, false), ("text", false, true), ("text + PII", true, true)]
        {
            let options = ScanOptions { detect_pii, keep_text };
            let ns = best_ns(body.as_bytes(), options);
            let rate = body.len() as f64 / ns;
            println!("{name:16} {mode:10} {:>9.2} us  {rate:>6.2} GB/s", ns / 1_000.0);
        }
    }
}

/// The best round's nanoseconds a scan.
fn best_ns(body: &[u8], options: ScanOptions) -> f64 {
    let times = u32::try_from(20_000_000 / body.len()).unwrap();
    let round = || {
        let start = Instant::now();
        for _ in 0..times {
            let mut scanner = Scanner::new(options);
            scanner.push(black_box(body)).unwrap();
            black_box(scanner.finish().unwrap());
        }
        start.elapsed().as_nanos() as f64 / f64::from(times)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}
