"""The report that compares runs: what they left is read, measured, drawn and put on two pages."""
