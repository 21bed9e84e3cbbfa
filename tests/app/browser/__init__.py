"""Tests of the app in a browser: a package, so that they share one Chromium, which ends with the last of them."""
