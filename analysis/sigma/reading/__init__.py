"""Files of rules, read: documents to conditions, once; kept for the next time."""
