"""What a net answers to images: logits, probabilities and features, and rows of a table made of them; no Lightning."""
