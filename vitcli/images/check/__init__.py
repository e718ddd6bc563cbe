"""What is wrong with a set of images."""
