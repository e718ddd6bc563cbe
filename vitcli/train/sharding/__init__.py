"""A net whose weights, gradients and moments are split over several processes (FSDP2), and what has to know of it."""
