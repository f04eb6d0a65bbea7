//! The bill: what this provider charges, by its own arithmetic, in its own file. Every line is
//! one `write(2)` made before the bytes it pays for are sent, so that a killed process has
//! billed all that anybody can have received. Tests and the demo judge the ledger by it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::config::Price;
use super::quota::Place;
use super::stats::Stats;
use crate::output::complain;

/// The open bill and the prices.
pub(crate) struct Bill {
    file: Option<File>,
    prices: BTreeMap<String, Price>,
}

/// Tokens of one call so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// All input tokens, cached ones included.
    pub(crate) input: u64,
    /// Input tokens read from the cache.
    pub(crate) cached: u64,
    /// Input tokens written to the cache for the usual time.
    pub(crate) cache_write: u64,
    /// Input tokens written to the cache for long.
    pub(crate) cache_write_long: u64,
    /// All output tokens, thinking included.
    pub(crate) output: u64,
    /// Output tokens of thinking.
    pub(crate) thinking: u64,
    /// Input tokens that are sound or images.
    pub(crate) media_input: u64,
    /// Output tokens that are.
    pub(crate) media_output: u64,
    /// Seconds, characters or images, where those are billed.
    pub(crate) units: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    model: &'a str,
    n: u64,
    input: u64,
    cached: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write_long: u64,
    output: u64,
    #[serde(skip_serializing_if = "is_zero")]
    thinking: u64,
    #[serde(skip_serializing_if = "is_zero")]
    media_input: u64,
    #[serde(skip_serializing_if = "is_zero")]
    media_output: u64,
    #[serde(skip_serializing_if = "is_zero")]
    units: u64,
    /// Picodollars; null where the model has no price.
    cost: Option<u64>,
    end: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Bill {
    /// Opens the file for appending; without one the provider works for nothing.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn open(
        path: Option<&Path>,
        prices: BTreeMap<String, Price>,
    ) -> std::io::Result<Self> {
        let open = |path| OpenOptions::new().append(true).create(true).open(path);
        Ok(Self { file: path.map(open).transpose()?, prices })
    }

    /// Picodollars for `tokens` of `model`.
    fn cost(&self, model: &str, tokens: Tokens) -> Option<u64> {
        let price = self.prices.get(model)?;
        let cached = tokens.cached.min(tokens.input);
        let written = tokens.cache_write.min(tokens.input - cached);
        let written_long = tokens.cache_write_long.min(tokens.input - cached - written);
        let sent = tokens.media_input.min(tokens.input - cached - written - written_long);
        let fresh = tokens.input - cached - written - written_long - sent;
        let made = tokens.media_output.min(tokens.output);
        let write = price.cache_write.unwrap_or(price.input);
        Some(
            fresh * price.input
                + cached * price.cached_input.unwrap_or(price.input)
                + written * write
                + written_long * price.cache_write_long.unwrap_or(write)
                + sent * price.media_input.unwrap_or(price.input)
                + (tokens.output - made) * price.output
                + made * price.media_output.unwrap_or(price.output)
                + tokens.units * price.unit.unwrap_or(0),
        )
    }

    /// Appends one line with one write. A full disk stops the simulator: a call that cannot be
    /// billed would make the judge lie.
    fn append(&self, line: &Line<'_>) {
        let (Some(mut file), Ok(mut bytes)) = (self.file.as_ref(), serde_json::to_vec(line)) else {
            return;
        };
        bytes.push(b'\n');
        match file.write(&bytes) {
            Ok(written) if written == bytes.len() => {}
            outcome => {
                complain(&format!("the bill cannot be written: {outcome:?}"));
                std::process::exit(74);
            }
        }
    }
}

/// One call, from its request to its last byte. Dropping it before [`Call::close`] means that the
/// client went away: it is counted, and the bill's line is closed.
pub(crate) struct Call {
    bill: Arc<Bill>,
    stats: Arc<Stats>,
    id: String,
    model: String,
    choices: u64,
    paid: Option<Tokens>,
    closed: bool,
    place: Option<Place>,
}

impl Call {
    /// A call that has not been billed yet.
    pub(crate) fn open(bill: Arc<Bill>, stats: Arc<Stats>, id: String, model: &str) -> Self {
        stats.opened(model);
        Self {
            bill,
            stats,
            id,
            model: model.to_owned(),
            choices: 1,
            paid: None,
            closed: false,
            place: None,
        }
    }

    /// It has a place among the calls at once until it is complete.
    pub(crate) fn hold(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// Number of choices that the caller asked for.
    pub(crate) fn set_choices(&mut self, choices: u64) {
        self.choices = choices;
    }

    /// Bills up to `tokens` (cumulative); nothing is written when nothing was added.
    pub(crate) fn pay(&mut self, tokens: Tokens) {
        if self.paid != Some(tokens) && !self.closed {
            self.paid = Some(tokens);
            self.write(false);
        }
    }

    /// Bills `tokens` and completes the call.
    pub(crate) fn settle(&mut self, tokens: Tokens) {
        self.paid = Some(tokens);
        self.close();
    }

    /// Completes the call with what was paid; a call that was never billed leaves no line.
    pub(crate) fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.place = None;
            if self.paid.is_some() {
                self.write(true);
            }
        }
    }

    fn write(&self, end: bool) {
        let tokens = self.paid.unwrap_or_default();
        self.bill.append(&Line {
            id: &self.id,
            model: &self.model,
            n: self.choices,
            input: tokens.input,
            cached: tokens.cached,
            cache_write: tokens.cache_write,
            cache_write_long: tokens.cache_write_long,
            output: tokens.output,
            thinking: tokens.thinking,
            media_input: tokens.media_input,
            media_output: tokens.media_output,
            units: tokens.units,
            cost: self.bill.cost(&self.model, tokens),
            end,
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let cancelled = !self.closed;
        self.close();
        self.stats.closed(cancelled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill(path: &Path) -> Arc<Bill> {
        let price = Price {
            input: 150_000,
            cached_input: Some(75_000),
            cache_write: Some(187_500),
            cache_write_long: Some(300_000),
            output: 600_000,
            media_input: Some(1_000_000),
            media_output: Some(4_000_000),
            unit: Some(7_000_000),
        };
        Arc::new(Bill::open(Some(path), BTreeMap::from([("m".to_owned(), price)])).unwrap())
    }

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Lines are cumulative, the last one ends the call, and cached input has its own price.
    #[test]
    fn lines_are_cumulative() {
        let path = std::env::temp_dir().join(format!("sim-bill-{}-a", std::process::id()));
        let stats = Arc::new(Stats::default());
        let mut call = Call::open(bill(&path), stats, "id.1".into(), "m");
        call.pay(Tokens { input: 12, cached: 4, output: 0, ..Tokens::default() });
        call.pay(Tokens { input: 12, cached: 4, output: 0, ..Tokens::default() });
        call.settle(Tokens { input: 12, cached: 4, output: 3, ..Tokens::default() });
        drop(call);
        let lines = lines(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["cost"], 8 * 150_000 + 4 * 75_000);
        assert_eq!(lines[1]["cost"], 8 * 150_000 + 4 * 75_000 + 3 * 600_000);
        assert_eq!((&lines[0]["end"], &lines[1]["end"]), (&false.into(), &true.into()));
    }

    /// What is written to the cache costs more than what is not, and for long most of all.
    #[test]
    fn cache_writes_have_their_own_prices() {
        let path = std::env::temp_dir().join(format!("sim-bill-{}-c", std::process::id()));
        let mut call = Call::open(bill(&path), Arc::new(Stats::default()), "id.1".into(), "m");
        call.settle(Tokens {
            input: 20,
            cached: 4,
            cache_write: 5,
            cache_write_long: 6,
            output: 3,
            thinking: 2,
            ..Tokens::default()
        });
        drop(call);
        let lines = lines(&path);
        std::fs::remove_file(&path).unwrap();
        let input = 5 * 150_000 + 4 * 75_000 + 5 * 187_500 + 6 * 300_000;
        assert_eq!(lines[0]["cost"], input + 3 * 600_000);
        assert_eq!((&lines[0]["cache_write_long"], &lines[0]["thinking"]), (&6.into(), &2.into()));
    }

    /// So do sound and images, by the token or by what is counted of them.
    #[test]
    fn sound_and_images_have_their_own_prices() {
        let path = std::env::temp_dir().join(format!("sim-bill-{}-m", std::process::id()));
        let mut call = Call::open(bill(&path), Arc::new(Stats::default()), "id.1".into(), "m");
        let (media_input, media_output) = (4, 6);
        let counted =
            Tokens { input: 5, output: 8, media_input, media_output, ..Tokens::default() };
        call.settle(Tokens { units: 2, ..counted });
        drop(call);
        let lines = lines(&path);
        std::fs::remove_file(&path).unwrap();
        let text = 150_000 + 2 * 600_000;
        assert_eq!(lines[0]["cost"], text + 4 * 1_000_000 + 6 * 4_000_000 + 2 * 7_000_000);
        assert_eq!((&lines[0]["units"], &lines[0]["media_output"]), (&2.into(), &6.into()));
    }

    /// A call dropped in the middle is counted as cancelled and its line is closed.
    #[test]
    fn a_dropped_call_is_cancelled_and_closed() {
        let path = std::env::temp_dir().join(format!("sim-bill-{}-b", std::process::id()));
        let stats = Arc::new(Stats::default());
        let mut call = Call::open(bill(&path), Arc::clone(&stats), "id.1".into(), "m");
        call.pay(Tokens { input: 1, cached: 0, output: 1, ..Tokens::default() });
        drop(call);
        let lines = lines(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["end"], true);
        assert_eq!(stats.report()["cancelled"], 1);
        assert_eq!(stats.report()["open"], 0);
    }
}
