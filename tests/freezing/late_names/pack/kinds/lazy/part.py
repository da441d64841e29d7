"""A module."""

NAME = "part"
