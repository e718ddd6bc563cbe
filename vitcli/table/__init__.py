"""Tables: predictions and lists of images; what crosses from predict to report."""
