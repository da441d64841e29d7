"""A kind that nothing but a setting names."""

SAYS = "found in the shed"
