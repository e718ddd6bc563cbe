"""Transformers that may stand inside the ViT; a backend of our own is added here."""
