"""A small model from nothing on generated documents: made-up words, recall documents, a curriculum, a probe of recall."""
