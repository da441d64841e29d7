"""The bank's event ledger: typed events on Kafka topics with a schema registry."""
