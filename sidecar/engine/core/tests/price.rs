//! Money: exact sums, upper bounds that are bounds, USD to the last picodollar.

use pointsman_core::limits;
use pointsman_core::price::{USD, Usd, affordable_output, cost, upper_bound};
use pointsman_core::table::{Pricing, ProviderType};
use pointsman_core::usage::Usage;
use proptest::prelude::*;

const MINI: Pricing = Pricing {
    input: 150_000,
    cached_input: Some(75_000),
    output: 600_000,
    cache_write: None,
    cache_write_long: None,
    media: None,
};

/// Cached prompt tokens have their own price; without one they cost as any.
#[test]
fn prices_cached_input_apart() {
    let usage =
        Usage { input: 100, cached_input: 40, output: 10, reasoning: 5, ..Usage::default() };
    assert_eq!(cost(&MINI, &usage), 60 * 150_000 + 40 * 75_000 + 10 * 600_000);
    let flat = Pricing { cached_input: None, ..MINI };
    assert_eq!(cost(&flat, &usage), 100 * 150_000 + 10 * 600_000);
}

/// Writing to a cache has prices of its own, by how long it is kept; the bound covers the dearest.
#[test]
fn prices_cache_writes_apart() {
    let write = Pricing { cache_write: Some(187_500), cache_write_long: Some(300_000), ..MINI };
    let usage = Usage {
        input: 100,
        cached_input: 40,
        cache_write: 30,
        cache_write_long: 20,
        ..Usage::default()
    };
    let bill = 10 * 150_000 + 40 * 75_000 + 30 * 187_500 + 20 * 300_000;
    assert_eq!(cost(&write, &usage), bill);
    assert_eq!(upper_bound(&write, 100, 0), 100 * 300_000);
    let said = MINI.at(ProviderType::Anthropic);
    assert_eq!((said.cache_write, said.cache_write_long), (Some(187_500), Some(300_000)));
    assert_eq!(
        cost(&MINI, &usage),
        cost(&MINI, &Usage { input: 100, cached_input: 40, ..Usage::default() })
    );
}

/// Every picodollar is shown, and no more digits than there are.
#[test]
fn shows_usd_exactly() {
    for (amount, text) in [
        (0, "0"),
        (1, "0.000000000001"),
        (123_456_789, "0.000123456789"),
        (1_500_000_000_000, "1.5"),
        (9_000_000 * USD, "9000000"),
        (u64::MAX, "18446744.073709551615"),
    ] {
        assert_eq!(Usd(amount).to_string(), text);
    }
}

/// A call without the money for its prompt affords nothing, a free answer is unlimited.
#[test]
fn affordable_output_is_exact() {
    assert_eq!(affordable_output(&MINI, 10, 1_499_999), None);
    assert_eq!(affordable_output(&MINI, 10, 1_500_000), Some(0));
    assert_eq!(affordable_output(&MINI, 10, 1_500_000 + 1_199_999), Some(1));
    let free = Pricing { output: 0, ..MINI };
    assert_eq!(affordable_output(&free, 0, 0), Some(u64::MAX));
}

prop_compose! {
    fn pricing()(input in 0..=USD, cached in proptest::option::of(0..=USD), output in 0..=USD)
        -> Pricing { Pricing { input, cached_input: cached, output, ..MINI } }
}
prop_compose! {
    fn usage()(input in 0..=limits::CALL_TOKENS, share in 0..=100_u64, output in 0..=limits::CALL_TOKENS)
        -> Usage { Usage { input, cached_input: input / 100 * share, output, ..Usage::default() } }
}

proptest! {
    /// Two bills together are the bill of both: nothing is rounded on the way.
    #[test]
    fn bills_add_up(pricing in pricing(), a in usage(), b in usage()) {
        let exact = |u: &Usage| {
            let cached = pricing.cached_input.unwrap_or(pricing.input);
            i128::from(u.input - u.cached_input) * i128::from(pricing.input)
                + i128::from(u.cached_input) * i128::from(cached)
                + i128::from(u.output) * i128::from(pricing.output)
        };
        for u in [a, b] {
            let shown = i128::from(cost(&pricing, &u));
            prop_assert_eq!(shown, exact(&u).min(i128::from(u64::MAX)));
        }
    }

    /// More tokens never cost less, and the upper bound is one.
    #[test]
    fn cost_is_monotone(pricing in pricing(), u in usage(), more in 0..1_000_u64) {
        let longer = Usage { output: u.output + more, ..u };
        prop_assert!(cost(&pricing, &longer) >= cost(&pricing, &u));
        let dearer = Usage { input: u.input + more, ..u };
        prop_assert!(cost(&pricing, &dearer) >= cost(&pricing, &u));
        prop_assert!(upper_bound(&pricing, u.input, u.output) >= cost(&pricing, &u));
    }

    /// What is affordable fits, one token more does not.
    #[test]
    fn affordable_fits(pricing in pricing(), input in 0..1_000_000_u64, money in any::<u64>()) {
        if let Some(tokens) = affordable_output(&pricing, input, money) {
            if pricing.output > 0 {
                prop_assert!(upper_bound(&pricing, input, tokens) <= money);
                prop_assert!(upper_bound(&pricing, input, tokens + 1) > money || money == u64::MAX);
            }
        } else {
            prop_assert!(upper_bound(&pricing, input, 0) > money);
        }
    }
}

/// The largest call at the largest price saturates instead of wrapping to something cheap.
#[test]
fn saturates_at_the_maxima() {
    let dearest =
        Pricing { input: u64::MAX, cached_input: Some(u64::MAX), output: u64::MAX, ..MINI };
    let largest = Usage { input: u64::MAX, output: u64::MAX, ..Usage::default() };
    assert_eq!(cost(&dearest, &largest), u64::MAX);
    let real = Pricing { input: 1_000_000_000, cached_input: None, output: 1_000_000_000, ..MINI };
    let most =
        Usage { input: limits::CALL_TOKENS, output: limits::CALL_TOKENS, ..Usage::default() };
    assert_eq!(cost(&real, &most), 2_000_000_000 * 1_000_000_000);
}
