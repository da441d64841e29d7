"""Promoter analysis: genome access, motif scanning, signal tracks."""
from .genome import Gene, Genome
from .motifs import MotifScanner
from .tracks import TrackStore

__all__ = ["Gene", "Genome", "MotifScanner", "TrackStore"]
