"""Cache: decoded copies of images, in memory or on disk."""
