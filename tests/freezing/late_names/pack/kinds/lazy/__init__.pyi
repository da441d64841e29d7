from . import part as part
from .core import answer as answer
