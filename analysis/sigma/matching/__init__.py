"""Rules over columns: thousands in one pass over the distinct values of a batch."""
