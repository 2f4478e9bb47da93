"""The command s3s4: what it reads, computes and writes."""
