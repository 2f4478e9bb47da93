"""What is measured on this machine: comparisons, the cutovers found by them, their cache."""
