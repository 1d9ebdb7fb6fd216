"""What receipts say, and the chains that they are signed into."""
