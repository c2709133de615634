"""The nouns that travel: measurement, record, correction. They know nothing of files, brokers or devices."""
