"""Which libraries each system's loader would find, and how."""
