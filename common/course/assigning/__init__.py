"""Who reviews what: the inputs, the integer programme, and why it has no solution."""
