"""Sizes found by trial (batch, learning rate), and what to say when memory has run out."""
