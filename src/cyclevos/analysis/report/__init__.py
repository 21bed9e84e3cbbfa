"""The report that compares runs: reads their results, measures and draws them, and writes two pages."""
