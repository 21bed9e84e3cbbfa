"""The local web server: who may ask, what can be asked, and what goes over the wire."""
