"""Transformers inside the ViT; a backend of our own is added here."""
