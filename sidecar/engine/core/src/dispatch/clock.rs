//! Signatures hold for five minutes of the provider's clock: where ours is further off, each is refused
//! until we reckon with the difference.

use std::time::UNIX_EPOCH;

use http::HeaderMap;
use http::header::DATE;

use crate::call::Call;

/// Whether a signed request was refused because our clock is off. Notes the difference, so that what is
/// signed from now on holds.
pub(super) fn was_off(call: &Call, answered: &HeaderMap) -> bool {
    let Some((model, planned)) = call.model() else { return false };
    let signs = model.provider.kind.cloud().is_some();
    let Some(credential) = planned.credential.as_ref().filter(|_| signs) else { return false };
    let clock = &call.worker().shared.clock;
    date_of(answered).is_some_and(|there_s| {
        let off_s = there_s.saturating_sub(clock.wall_ms() / 1_000);
        credential.was_off(off_s, call.attempt_began_ms(), clock.boot_ms())
    })
}

/// When it was where the answer comes from, Unix seconds.
fn date_of(headers: &HeaderMap) -> Option<i64> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}
