"""Tables: Parquet and Arrow files whose rows hold images, read through pyarrow and then by ranges of bytes."""
