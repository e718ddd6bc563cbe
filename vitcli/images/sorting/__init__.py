"""Sorting images into folders by predicted class: safe names, links or copies, nothing overwritten."""
