//! The KV cache, in blocks: what running requests hold, and which prompts are still in it.
//! Equal prompts share their full blocks; a prompt's blocks stay until somebody needs the room.

use std::collections::{HashMap, VecDeque};

/// Tokens of one block.
pub(crate) const BLOCK: usize = 16;

/// The cache.
#[derive(Debug)]
pub(crate) struct Cache {
    blocks: usize,
    /// Blocks that running requests hold.
    held: usize,
    /// Users and blocks of each prompt in use.
    shared: HashMap<u64, (usize, usize)>,
    /// Prompts that nobody uses any more but that are still there, oldest first.
    kept: VecDeque<(u64, usize)>,
    kept_blocks: usize,
}

impl Cache {
    /// An empty cache for `tokens`.
    pub(crate) fn new(tokens: usize) -> Self {
        let blocks = (tokens / BLOCK).max(1);
        let (shared, kept) = (HashMap::new(), VecDeque::new());
        Self { blocks, held: 0, shared, kept, kept_blocks: 0 }
    }

    /// The held share, 0 to 1.
    pub(crate) fn usage(&self) -> f64 {
        self.held as f64 / self.blocks as f64
    }

    /// Tokens that all requests together can hold.
    pub(crate) fn tokens(&self) -> usize {
        self.blocks * BLOCK
    }

    /// Tokens that running requests hold, in whole blocks.
    pub(crate) fn held_tokens(&self) -> usize {
        self.held * BLOCK
    }

    /// Takes room for `tokens`, of which the first `prompt` are the prompt `key`. Returns how
    /// many tokens need not be computed, or none where there is no room.
    pub(crate) fn take(&mut self, key: u64, prompt: usize, tokens: usize) -> Option<usize> {
        let common = prompt / BLOCK;
        let own = tokens.div_ceil(BLOCK) - common;
        let in_use = self.shared.contains_key(&key);
        let wanted = if in_use { own } else { own + common };
        if self.held + wanted > self.blocks {
            return None;
        }
        self.held += wanted;
        let kept = if in_use { None } else { self.kept.iter().position(|(at, _)| *at == key) };
        if let Some((_, blocks)) = kept.and_then(|at| self.kept.remove(at)) {
            self.kept_blocks -= blocks;
        }
        self.shared.entry(key).or_insert((0, common)).0 += 1;
        self.evict();
        // The last token is computed in any case: its result is the first answer.
        let known = if in_use || kept.is_some() { common * BLOCK } else { 0 };
        Some(known.min(tokens.saturating_sub(1)))
    }

    /// Takes the block for one more token after `tokens`, where one is needed; false where there
    /// is no room.
    pub(crate) fn grow(&mut self, tokens: usize) -> bool {
        if !tokens.is_multiple_of(BLOCK) {
            return true;
        }
        if self.held == self.blocks {
            return false;
        }
        self.held += 1;
        self.evict();
        true
    }

    /// Gives back what a request of `prompt` and `tokens` in all holds.
    pub(crate) fn release(&mut self, key: u64, prompt: usize, tokens: usize) {
        let common = prompt / BLOCK;
        self.held -= tokens.div_ceil(BLOCK) - common;
        let Some((users, _)) = self.shared.get_mut(&key) else { return };
        *users -= 1;
        if *users == 0 {
            self.shared.remove(&key);
            self.held -= common;
            if common > 0 {
                self.kept.push_back((key, common));
                self.kept_blocks += common;
            }
            self.evict();
        }
    }

    /// Lets go of the oldest unused prompts until the rest fits.
    fn evict(&mut self) {
        while self.held + self.kept_blocks > self.blocks {
            let Some((_, blocks)) = self.kept.pop_front() else { return };
            self.kept_blocks -= blocks;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equal prompts are held once, and are known as long as there is room for them.
    #[test]
    fn equal_prompts_share_their_blocks() {
        let mut cache = Cache::new(160);
        assert_eq!(cache.take(1, 64, 65), Some(0));
        assert_eq!(cache.take(1, 64, 65), Some(64));
        assert_eq!(cache.held_tokens(), 96);
        cache.release(1, 64, 65);
        cache.release(1, 64, 65);
        assert_eq!(cache.held_tokens(), 0);
        assert_eq!(cache.take(1, 64, 65), Some(64));
        cache.release(1, 64, 65);
        assert_eq!(cache.take(2, 128, 129), Some(0));
        cache.release(2, 128, 129);
        assert_eq!(cache.take(1, 64, 65), Some(0));
    }

    /// A full cache says so, and a request grows only where a block is free.
    #[test]
    fn a_full_cache_refuses() {
        let mut cache = Cache::new(32);
        assert_eq!(cache.take(1, 16, 16), Some(0));
        assert!(cache.grow(16));
        assert!(cache.grow(17));
        assert!(!cache.grow(32));
        assert_eq!(cache.take(2, 1, 1), None);
        assert!((cache.usage() - 1.0).abs() < f64::EPSILON);
        cache.release(1, 16, 32);
        assert_eq!(cache.held_tokens(), 0);
    }
}
