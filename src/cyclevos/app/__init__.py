"""The browser app: a local server around the propagation loop, and the page that it serves."""
