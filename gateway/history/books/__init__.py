"""What a history keeps of each matter, a book each: epochs, series, gaps, wall clocks, the ward's words, quotas.

Every method of a book is part of a transaction that its caller has begun; no book opens or closes the file.
"""
