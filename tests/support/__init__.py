"""What several kinds of tests share: clocks, builders, started processes."""
