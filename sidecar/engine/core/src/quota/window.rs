//! Amounts by the second: what was used or asked for in the last so many of them.

/// A ring of seconds. Time never goes back in it.
#[derive(Debug)]
pub(super) struct Window {
    seconds: Box<[u64]>,
    sum: u64,
    now_s: u64,
}

impl Window {
    /// An empty one over this many seconds, the current one included.
    pub(super) fn new(span_s: usize) -> Self {
        Self { seconds: vec![0; span_s.max(1)].into(), sum: 0, now_s: 0 }
    }

    /// What lies in it.
    pub(super) fn sum(&mut self, now_s: u64) -> u64 {
        self.advance(now_s);
        self.sum
    }

    /// The largest second in it.
    pub(super) fn peak(&mut self, now_s: u64) -> u64 {
        self.advance(now_s);
        self.seconds.iter().copied().max().unwrap_or(0)
    }

    /// Puts an amount into the current second; which one that is.
    pub(super) fn add(&mut self, now_s: u64, amount: u64) -> u64 {
        self.advance(now_s);
        let place = self.place(self.now_s);
        self.seconds[place] = self.seconds[place].saturating_add(amount);
        self.sum = self.sum.saturating_add(amount);
        self.now_s
    }

    /// Makes the current second at least this large.
    pub(super) fn raise(&mut self, now_s: u64, level: u64) {
        self.advance(now_s);
        let place = self.place(self.now_s);
        let more = level.saturating_sub(self.seconds[place]);
        self.seconds[place] += more;
        self.sum = self.sum.saturating_add(more);
    }

    /// Takes an amount out of the second into which it was put, where that is still inside.
    pub(super) fn take_back(&mut self, at_s: u64, amount: u64) {
        if at_s > self.now_s || self.now_s - at_s >= self.seconds.len() as u64 {
            return;
        }
        let place = self.place(at_s);
        let less = amount.min(self.seconds[place]);
        self.seconds[place] -= less;
        self.sum = self.sum.saturating_sub(less);
    }

    /// The second in which no more than `most` is left of what lies in it now.
    pub(super) fn falls_to(&mut self, now_s: u64, most: u64) -> u64 {
        self.advance(now_s);
        if self.sum <= most {
            return self.now_s;
        }
        let span = self.seconds.len() as u64;
        let mut left = self.sum;
        // From the oldest second on: each leaves when it is a whole span old.
        for at_s in (self.now_s + 1).saturating_sub(span)..=self.now_s {
            if left <= most {
                return (at_s + span - 1).max(self.now_s);
            }
            left = left.saturating_sub(self.seconds[self.place(at_s)]);
        }
        self.now_s + span
    }

    fn advance(&mut self, now_s: u64) {
        if now_s <= self.now_s {
            return;
        }
        let span = self.seconds.len() as u64;
        if now_s - self.now_s >= span {
            self.seconds.fill(0);
            self.sum = 0;
        } else {
            for at_s in self.now_s + 1..=now_s {
                let place = self.place(at_s);
                self.sum = self.sum.saturating_sub(std::mem::take(&mut self.seconds[place]));
            }
        }
        self.now_s = now_s;
    }

    fn place(&self, at_s: u64) -> usize {
        usize::try_from(at_s % self.seconds.len() as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn seconds_leave_a_whole_span_later() {
        let mut window = Window::new(3);
        assert_eq!(window.add(10, 5), 10);
        window.add(11, 1);
        assert_eq!((window.sum(12), window.peak(12)), (6, 5));
        assert_eq!(window.falls_to(12, 6), 12);
        assert_eq!(Window::new(60).falls_to(12, 0), 12, "also before a whole span has passed");
        assert_eq!(window.falls_to(12, 5), 13, "the five leave when second 13 begins");
        assert_eq!(window.falls_to(12, 0), 14);
        assert_eq!(window.sum(13), 1);
        assert_eq!(window.sum(14), 0);
        window.add(20, 2);
        assert_eq!(window.sum(1_000), 0, "a long pause empties it");
    }

    #[test]
    fn what_is_taken_back_leaves_its_own_second() {
        let mut window = Window::new(3);
        window.add(10, 5);
        window.add(11, 5);
        window.take_back(10, 3);
        assert_eq!(window.sum(11), 7);
        assert_eq!(window.sum(13), 5);
        window.take_back(10, 5);
        assert_eq!(window.sum(13), 5, "that second has left");
        window.raise(13, 4);
        window.raise(13, 2);
        assert_eq!(window.sum(13), 9);
    }
}
