"""Language packs that the transliteration registry does not bring."""
