//! The money of one attempt, before it goes out: how much it may cost at most, what the Budgets that
//! bind it allow, and the cap that makes it fit (DESIGN 7). Plain calls reserve their worst case, as
//! do streams near a Budget's end; far from it those reserve a part, topped up as they go, and are cut
//! when the Budget has no more.

use http::HeaderMap;

use crate::budget::{AccountSet, Admission, BudgetRefusal, Charge, RefusalCode, Tier};
use crate::call::Call;
use crate::error::{BudgetNo, LimitName, NoCandidate, Refusal};
use crate::limits;
use crate::price;
use crate::table::Pricing;
use crate::usage::{Meter, Seen};

/// Bounds the attempt at the call's chosen model and reserves for it.
///
/// # Errors
/// A Budget has too little even for the least answer, or its ledger cannot be reached.
pub async fn reserve(call: &mut Call, head: &HeaderMap) -> Result<(), Refusal> {
    let Some(place) = call.chosen else { return Err(Refusal::Internal) };
    let accounts = call.plan.subjects.accounts_for(head, place);
    call.accounts = accounts;
    call.capped = None;
    if call.surface.counts() {
        return Ok(()); // nobody bills it
    }
    call.meter = meter(call);
    if accounts.is_empty() {
        return Ok(());
    }
    let Some((model, _)) = call.model() else { return Err(Refusal::Internal) };
    let pricing = model.pricing;
    let uncapped = call.meter;
    call.capped = default_cap(call, &accounts);
    call.meter = meter(call);
    let worst = worst_case(call, &pricing);
    let mut wanted = worst;
    if call.wants_stream()
        && call.media.is_none()
        && !call.worker().shared.book.near_end(&accounts, worst)
    {
        call.capped = None;
        call.meter = uncapped;
        wanted = worst_case(call, &pricing).min(first_step(call, &pricing));
    }
    let charge = match admit(call, wanted, worst).await {
        Ok(charge) => charge,
        Err(refusal) => fit(call, &pricing, refusal).await?,
    };
    call.reserved = call.reserved.max(charge.reserved());
    call.charge = Some(charge);
    Ok(())
}

/// Reserves ahead of what a running stream has probably cost.
///
/// # Errors
/// The Budget has no more: the stream must be cut.
pub fn top_up(call: &mut Call, seen: &Seen) -> Result<(), Refusal> {
    // Sound and images are reserved for whole: what they cost does not show while they come.
    if call.charge.is_none() || call.media.is_some() {
        return Ok(());
    }
    let Some((model, planned)) = call.model() else { return Ok(()) };
    let spent = price::cost(&model.pricing, &call.meter.estimate(seen, &planned.calibration));
    let ahead = price::upper_bound(&model.pricing, 0, limits::STREAM_AHEAD_TOKENS);
    let step = price::upper_bound(&model.pricing, 0, limits::STREAM_STEP_TOKENS);
    // Nothing is asked for beyond the worst case: near the end others need it.
    let worst = worst_case(call, &model.pricing).max(spent);
    let Some(charge) = &mut call.charge else { return Ok(()) };
    let covered = spent.saturating_add(ahead).min(worst) <= charge.reserved();
    let step = step.min(worst.saturating_sub(charge.reserved())).max(1);
    if covered || charge.top_up(step) {
        call.reserved = call.reserved.max(charge.reserved());
        return Ok(());
    }
    if spent < charge.reserved() {
        return Ok(()); // asked early; the ledger may still grant it
    }
    Err(as_refusal(&charge.shortage(step)))
}

/// Prompt tokens at most, and the answer's, if anything caps it.
fn meter(call: &Call) -> Meter {
    let scan = &call.scan;
    let text = (scan.body_len as u64).saturating_sub(scan.image_data_bytes);
    let images = u64::from(scan.image_parts) * limits::IMAGE_TOKENS;
    let (window, most) = call
        .model()
        .map_or((u64::MAX, u64::MAX), |(model, _)| (model.context_window, model.max_output_tokens));
    let output_cap = if call.surface.generates() {
        let cap = call.capped.map(|cap| cap * call.choices()).or_else(|| call.output_cap());
        Some(cap.unwrap_or(u64::MAX).min(most.saturating_mul(call.choices())))
    } else {
        Some(0)
    };
    let said = if call.refers() { window } else { text + images };
    Meter { input_bound: said.min(window), output_cap, hidden: 0 }
}

/// Where the caller set no cap, enforced Budgets set theirs.
fn default_cap(call: &Call, accounts: &AccountSet) -> Option<u64> {
    let uncapped = call.surface.generates() && call.output_cap().is_none();
    if accounts.is_empty() || !uncapped {
        return None;
    }
    let most = call.model().map_or(u64::MAX, |(model, _)| model.max_output_tokens);
    accounts.default_max_tokens().map(|cap| cap.min(most))
}

fn worst_case(call: &Call, pricing: &Pricing) -> u64 {
    if let Some(usage) = call.media_bound() {
        return price::cost(pricing, &usage);
    }
    let output = call.meter.output_cap.unwrap_or(u64::MAX);
    price::upper_bound(pricing, call.meter.input_bound, output)
}

/// What a stream reserves first where money is ample.
fn first_step(call: &Call, pricing: &Pricing) -> u64 {
    let output = limits::STREAM_STEP_TOKENS * call.choices();
    price::upper_bound(pricing, call.meter.input_bound, output)
}

async fn admit(call: &Call, amount: u64, worst: u64) -> Result<Charge, BudgetRefusal> {
    let book = &call.worker().shared.book;
    match book.admit_stream(&call.accounts, amount, worst) {
        Admission::Granted(charge) => Ok(charge),
        Admission::Wait(waiter) => waiter.wait().await,
        Admission::Refused(refusal) => Err(refusal),
    }
}

/// The worst case does not fit: lower the cap to what is left, if that still makes an answer.
async fn fit(
    call: &mut Call,
    pricing: &Pricing,
    refusal: BudgetRefusal,
) -> Result<Charge, Refusal> {
    let generates = call.surface.generates();
    if !generates || !matches!(refusal.code, RefusalCode::Exhausted | RefusalCode::TooLarge) {
        return Err(as_refusal(&refusal));
    }
    let affordable = price::affordable_output(pricing, call.meter.input_bound, refusal.available);
    let each = affordable.unwrap_or(0) / call.choices();
    if each < limits::LEAST_CAP_TOKENS {
        let shortest = limits::LEAST_CAP_TOKENS * call.choices();
        let least = price::upper_bound(pricing, call.meter.input_bound, shortest);
        return Err(too_little(refusal, affordable, least));
    }
    let asked = call.output_cap().map(|cap| cap / call.choices());
    let cap = each.min(call.capped.or(asked).unwrap_or(u64::MAX));
    call.capped = Some(cap);
    call.meter = meter(call);
    let amount = price::upper_bound(pricing, call.meter.input_bound, cap * call.choices());
    admit(call, amount, amount).await.map_err(|refusal| as_refusal(&refusal))
}

/// `least`: what the shortest answer may cost, picodollars. A shorter answer that fits the whole limit
/// is not too large for it: too little of it is left.
fn too_little(mut refusal: BudgetRefusal, affordable: Option<u64>, least: u64) -> Refusal {
    match affordable {
        Some(affordable) if affordable > 0 => {
            Refusal::Budget { no: BudgetNo::MinimumCap { affordable }, of: name(&refusal) }
        }
        _ => {
            if refusal.code == RefusalCode::TooLarge && least <= refusal.amount {
                refusal.code = RefusalCode::Exhausted;
            }
            as_refusal(&refusal)
        }
    }
}

fn as_refusal(refusal: &BudgetRefusal) -> Refusal {
    let no = match refusal.code {
        RefusalCode::Exhausted => BudgetNo::UsedUp,
        RefusalCode::Blocked => BudgetNo::Blocked,
        RefusalCode::TooLarge => BudgetNo::TooLarge,
        RefusalCode::TooManyBudgets => BudgetNo::TooMany,
        RefusalCode::Overloaded => BudgetNo::Busy,
        RefusalCode::LedgerUnavailable => BudgetNo::LedgerUnavailable,
        RefusalCode::LedgerRestored => {
            BudgetNo::LedgerRestored { wait_s: refusal.wait_ms.div_ceil(1_000).max(1) }
        }
        RefusalCode::JournalUnavailable => BudgetNo::JournalUnavailable {
            detail: refusal.detail.as_deref().unwrap_or_default().to_owned(),
        },
        RefusalCode::Downgraded => {
            return Refusal::NoCandidate(NoCandidate::BudgetTier(name(refusal)));
        }
    };
    Refusal::Budget { no, of: name(refusal) }
}

fn name(refusal: &BudgetRefusal) -> LimitName {
    LimitName {
        budget: refusal.budget.to_string(),
        limit: format!("{} ({} USD)", refusal.limit, price::Usd(refusal.amount)),
        resets_at: refusal.resets_at.as_deref().unwrap_or_default().to_owned(),
    }
}

impl Call {
    /// The lowest tier that a Budget still allows now, over all candidates, and whose it is.
    #[must_use]
    pub fn max_tier(&self, headers: &HeaderMap) -> Option<Tier> {
        let book = &self.worker().shared.book;
        let candidates = self.route().map_or(&[][..], |route| &route.candidates);
        let (mut lowest, mut asked) = (None, AccountSet::default());
        for place in candidates {
            let accounts = self.plan.subjects.accounts_for(headers, *place);
            // Most Budgets bind all candidates alike: the book is asked once.
            if accounts != asked {
                let found = book.max_tier(&accounts);
                lowest = lowest.into_iter().chain(found).min_by_key(|tier: &Tier| tier.most);
                asked = accounts;
            }
        }
        lowest
    }

    /// The limit that set a tier, for the answer.
    #[must_use]
    pub fn tier_limit(&self, tier: Option<Tier>) -> LimitName {
        let book = &self.worker().shared.book;
        tier.map(|tier| name(&book.downgraded(tier))).unwrap_or_default()
    }
}
