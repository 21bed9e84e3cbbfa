"""One file per output format: its names, what it can hold, and its functions; `exchange.formats` lists them."""
