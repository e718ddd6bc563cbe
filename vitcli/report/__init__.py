"""Report: a prediction table and its run as one page of HTML, with its charts beside it; no torch."""
