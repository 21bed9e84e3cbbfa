"""Evaluation: region similarity J and boundary accuracy F, the DAVIS protocol, reports."""
