"""Adapting a network to a user's own video: a few steps of the cyclic loss, which needs no labels but those given."""
