"""Studies of networks and runs: robustness, cycle-ERF, comparison figures and reports."""
