"""Random augmentation of training images: what is drawn, and how it is applied."""
