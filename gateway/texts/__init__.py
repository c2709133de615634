"""What people read on pages and reports: a file a language, a sentence a key. Knows nothing of what is said."""
