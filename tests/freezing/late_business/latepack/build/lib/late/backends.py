"""Chosen by a setting."""

NAME = "backend"
