"""Webhooks: an owner's own address is told, signed, of each outcome of each original."""
