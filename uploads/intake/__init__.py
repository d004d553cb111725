"""How bytes come in: tus, direct to S3, and what is kept of an upload until it is whole."""
