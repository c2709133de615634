"""The bytes of every topic: names, payloads, receipts. Nouns in, bytes out, and back; nothing here sends or stores."""
