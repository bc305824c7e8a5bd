"""What every project shares: data, evaluation, training and the course cycle."""
