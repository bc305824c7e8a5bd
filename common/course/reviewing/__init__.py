"""The review files of the cycle: reading, drafting and proving reviews, responses, verifications."""
