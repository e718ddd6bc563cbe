"""An HTTP server for a trained net: images in, JSON out, a page to drop photos on; batches across requests."""
