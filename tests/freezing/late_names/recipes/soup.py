"""A file that the program runs by its path, with an import that nothing else makes."""

import colorsys

TASTE = colorsys.rgb_to_hsv(1, 1, 1)[2]
