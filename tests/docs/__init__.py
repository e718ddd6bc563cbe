"""What the documents of docs/ say, computed and compared."""
